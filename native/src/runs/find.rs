//! Folders of runs under a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::CHECKPOINT_FILE;
use crate::run::run_dir::{CONFIG_FILE, METRICS_FILE, STATUS_FILE};

/// Levels of folders that are searched.
pub const DEPTH: usize = 3;

// Files of which a run has at least one, even if others are lost.
const MARKS: [&str; 4] = [CONFIG_FILE, STATUS_FILE, METRICS_FILE, CHECKPOINT_FILE];

#[derive(Debug, Default)]
pub struct FoundRuns {
    pub runs: Vec<PathBuf>,
    /// Folders that could not be searched, each with the reason.
    pub unreadable: Vec<String>,
}

/// The runs in `folder`, which may be one itself, up to [`DEPTH`] levels below it.
///
/// # Errors
/// If `folder` is not a readable folder.
pub fn find_runs(folder: &Path) -> io::Result<FoundRuns> {
    let mut found = FoundRuns::default();
    if is_run(folder) {
        found.runs.push(folder.to_owned());
    } else {
        search(folder, DEPTH, &mut found)?;
    }
    Ok(found)
}

fn search(folder: &Path, levels: usize, found: &mut FoundRuns) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }

        // A folder within may be someone else's: what can be read is still listed.
        if is_run(&path) {
            found.runs.push(path);
        } else if levels > 1
            && let Err(error) = search(&path, levels - 1, found)
        {
            let problem = format!("cannot search {}: {error}", path.display());
            found.unreadable.push(problem);
        }
    }
    Ok(())
}

fn is_run(folder: &Path) -> bool {
    MARKS.iter().any(|mark| folder.join(mark).is_file())
}
