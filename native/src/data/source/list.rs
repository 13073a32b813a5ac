//! A text file that names one image a line, with a label or without.

mod entry;
mod lines;
mod record;
mod table;

use std::path::Path;

use self::entry::ListEntry;
use super::folder::ImageFiles;
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::text::read_text;

// Beyond this, a number is more likely a mistake than a class.
const MAX_NUMBER: u32 = 1_000_000;

/// Opens the images a list names, in the order of the list.
pub fn open(path: &Path) -> Result<Dataset, DataError> {
    let text = read_text(path)?;
    let root = path.parent().unwrap_or(Path::new(""));

    let name = path.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let entries = match name.rsplit('.').next() {
        Some("csv" | "tsv") => table::entries(path, &text)?,
        _ => lines::entries(path, &text, root)?,
    };
    check_first(path, &entries, root)?;
    check_labels(path, &entries)?;

    let classes = classes(path, &entries)?;
    let files = ImageFiles {
        root: root.to_owned(),
        paths: entries.into_iter().map(|entry| entry.path.into()).collect(),
    };
    Ok(Dataset::new("list", path, classes, files))
}

fn check_first(list: &Path, entries: &[ListEntry], root: &Path) -> Result<(), DataError> {
    // A list that was moved away from its images fails at once here, not at every image of a run.
    let Some(first) = entries.first() else {
        return Err(DataError::Empty {
            path: list.to_owned(),
            looked_for: "one image path a line, optionally with a label after a tab or comma"
                .to_owned(),
        });
    };

    let path = root.join(&first.path);
    if !path.is_file() {
        let problem = format!(
            "{} is not a file; paths are relative to the list's folder",
            path.display()
        );
        return Err(DataError::list(list, first.line, problem));
    }
    Ok(())
}

fn check_labels(list: &Path, entries: &[ListEntry]) -> Result<(), DataError> {
    let labelled = entries.iter().find(|entry| entry.label.is_some());
    let unlabelled = entries.iter().find(|entry| entry.label.is_none());
    let (Some(labelled), Some(unlabelled)) = (labelled, unlabelled) else {
        return Ok(());
    };

    let (has, other) = if labelled.line > unlabelled.line {
        ("a", "none")
    } else {
        ("no", "one")
    };
    let first = labelled.line.min(unlabelled.line);
    let count = entries.iter().filter(|entry| entry.label.is_none()).count();
    let problem = format!(
        "{has} label, but line {first} has {other} ({count} of {} have none); label all lines or none",
        entries.len()
    );
    let odd = labelled.line.max(unlabelled.line);
    Err(DataError::list(list, odd, problem))
}

fn classes(list: &Path, entries: &[ListEntry]) -> Result<Classes, DataError> {
    // Numbers are class numbers only if all labels are numbers.
    let labels = entries.iter().filter_map(|entry| entry.label.as_deref());
    if !labels.clone().all(|label| label.parse::<i64>().is_ok()) {
        return Ok(Classes::from_names(labels));
    }

    let mut numbers = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(label) = &entry.label else { continue };
        match label.parse() {
            Ok(number) if number <= MAX_NUMBER => numbers.push(number),
            _ => {
                let problem = format!(
                    "label {label} is not in 0..={MAX_NUMBER}; number classes from 0, or name them"
                );
                return Err(DataError::list(list, entry.line, problem));
            }
        }
    }
    Ok(Classes::from_numbers(numbers))
}

#[cfg(test)]
mod tests;
