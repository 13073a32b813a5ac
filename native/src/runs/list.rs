//! The list of the runs in a folder.

use std::cmp::Ordering;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::differences::keep_differences;
use super::find::{DEPTH, find_runs};
use super::listed_run::ListedRun;
use crate::data::natural_order;

#[derive(Debug)]
pub struct RunList {
    /// In the order of their names.
    pub runs: Vec<ListedRun>,
    /// Folders that could not be searched, each with the reason.
    pub unreadable: Vec<String>,
}

/// Reads the runs in `folder`.
///
/// # Errors
/// If it is not a readable folder, or holds no run.
pub fn list_runs(folder: &Path) -> Result<RunList> {
    let shown = folder.display();
    let found = find_runs(folder).with_context(|| format!("cannot search {shown} for runs"))?;
    ensure!(
        !found.runs.is_empty(),
        "{shown} holds no run, {DEPTH} levels deep: give the folder that `ibot pretrain --out` names, or one above it"
    );

    let mut runs: Vec<ListedRun> = found.runs.iter().map(|run| ListedRun::read(run)).collect();
    runs.sort_by(|a, b| by_name(&a.run, &b.run));
    keep_differences(&mut runs);
    Ok(RunList {
        runs,
        unreadable: found.unreadable,
    })
}

fn by_name(a: &Path, b: &Path) -> Ordering {
    natural_order(&a.to_string_lossy(), &b.to_string_lossy())
}

#[cfg(test)]
mod tests;
