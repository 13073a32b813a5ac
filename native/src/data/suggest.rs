//! What to say about a path that does not exist.

use std::fs;
use std::path::Path;

use super::error::DataError;

/// What names a dataset, for messages.
pub(super) const KINDS: &str = "builtin, a folder of images, a .tar, a .txt/.lst/.csv list of paths, an IDX file (MNIST), or a set as it is \
     published (CIFAR, Flowers-102, Stanford Cars, iNaturalist)";

pub(super) const BUILTIN: [&str; 3] = ["builtin", "builtin:train", "builtin:val"];

/// How similar two names must be to suggest one for the other; equal names have 1.
const SIMILAR: f64 = 0.6;

/// Finds the part of the path that is missing, and what is there with a similar name.
pub(super) fn missing(path: &Path) -> DataError {
    let (absent, folder) = first_absent(path);
    let wanted = lowercase_name(absent);

    let mut candidates: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let sibling = absent.with_file_name(entry.file_name());
        candidates.push(sibling.display().to_string());
    }
    if absent == path {
        candidates.extend(BUILTIN.map(str::to_owned));
    }
    // In the order of their names, for a message that does not depend on the order of the disk.
    candidates.sort_unstable();

    let mut best: Option<(f64, &str)> = None;
    for candidate in &candidates {
        let name = lowercase_name(Path::new(candidate));
        let score = strsim::normalized_damerau_levenshtein(&wanted, &name);
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, candidate));
        }
    }

    let hint = match best {
        Some((score, similar)) if score >= SIMILAR => format!("; did you mean {similar}?"),
        _ if absent != path => format!("; the part that exists is {}", folder.display()),
        _ => format!("; give {KINDS}"),
    };
    DataError::Missing {
        path: path.to_owned(),
        hint,
    }
}

/// The first part of a path that does not exist, and the folder that should hold it.
fn first_absent(path: &Path) -> (&Path, &Path) {
    let mut absent = path;
    loop {
        match absent.parent() {
            None => return (absent, Path::new(".")),
            Some(parent) if parent.as_os_str().is_empty() => return (absent, Path::new(".")),
            Some(parent) if parent.is_dir() => return (absent, parent),
            Some(parent) => absent = parent,
        }
    }
}

fn lowercase_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().to_lowercase()
}
