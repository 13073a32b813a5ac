//! A text file that names one image a line, with a label or without.
//!
//! A line is `path`, `path<TAB>label`, `path,label` or, for a path without spaces, `path label`.
//! Blank lines and lines that start with `#` are skipped, as is a header in the first line of a
//! `.csv`.

use std::fs;
use std::path::Path;

use super::folder::ImageFiles;
use crate::data::classes::Classes;
use crate::data::dataset::Dataset;
use crate::data::error::DataError;
use crate::data::file_names::has_image_extension;

// Beyond this, a number is more likely a mistake than a class.
const MAX_NUMBER: u32 = 1_000_000;

/// What a CSV calls the column of the paths.
const HEADERS: [&str; 8] = [
    "path",
    "file",
    "filename",
    "file_name",
    "name",
    "image",
    "img",
    "image_path",
];

struct ListEntry<'a> {
    /// Counted from 1.
    line: usize,
    path: &'a str,
    label: Option<&'a str>,
}

/// Opens the images a list names, in the order of the list.
pub fn open(path: &Path) -> Result<Dataset, DataError> {
    let bytes = fs::read(path).map_err(DataError::read(path))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        DataError::list(path, line, "not UTF-8 text; save the list as UTF-8")
    })?;

    let root = path.parent().unwrap_or(Path::new(""));
    let entries = read_entries(path, text, root)?;
    check_first(path, &entries, root)?;
    check_labels(path, &entries)?;

    let files = ImageFiles {
        root: root.to_owned(),
        paths: entries.iter().map(|entry| entry.path.into()).collect(),
    };
    Ok(Dataset::new("list", path, classes(path, &entries)?, files))
}

fn read_entries<'a>(
    list: &Path,
    text: &'a str,
    root: &Path,
) -> Result<Vec<ListEntry<'a>>, DataError> {
    let extension = list.extension();
    let is_csv = extension.is_some_and(|end| end.eq_ignore_ascii_case("csv"));

    let mut entries: Vec<ListEntry> = Vec::new();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let text = text.trim();
        let is_comment = text.is_empty() || text.starts_with('#');
        let may_be_header = is_csv && entries.is_empty();
        if is_comment || may_be_header && is_header(text) {
            continue;
        }

        let split = split(text, root);
        let (path, label) = split.map_err(|problem| DataError::list(list, line, problem))?;
        entries.push(ListEntry { line, path, label });
    }
    Ok(entries)
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

    let path = root.join(first.path);
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
    let problem = format!("{has} label, but line {first} has {other}; label all lines or none");
    let odd = labelled.line.max(unlabelled.line);
    Err(DataError::list(list, odd, problem))
}

fn is_header(line: &str) -> bool {
    let first = unquoted(line.split([',', '\t']).next().unwrap_or(line));
    HEADERS
        .iter()
        .any(|header| first.eq_ignore_ascii_case(header))
}

fn split<'a>(line: &'a str, root: &Path) -> Result<(&'a str, Option<&'a str>), String> {
    // No label looks like an image file, so the common lines need no access to the disk.
    if has_image_extension(unquoted(line)) {
        return Ok((unquoted(line), None));
    }

    let halves = line.rsplit_once('\t').or_else(|| line.rsplit_once(','));
    let by_space = halves.is_none();
    let Some((path, label)) = halves.or_else(|| line.rsplit_once(' ')) else {
        return Ok((unquoted(line), None));
    };
    let path = unquoted(path.trim());
    let label = unquoted(label.trim());

    // A space or comma can belong to the name of a file.
    if !has_image_extension(path) && root.join(line).is_file() {
        return Ok((line, None));
    }

    if path.is_empty() {
        return Err("no path before the label; write `path,label`".to_owned());
    }
    if label.is_empty() {
        return Err(
            "no label after the separator; write `path,label`, or the path alone".to_owned(),
        );
    }
    if by_space && path.contains(' ') {
        return Err("several spaces: put a tab or comma between path and label".to_owned());
    }
    Ok((path, Some(label)))
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

fn classes(list: &Path, entries: &[ListEntry]) -> Result<Classes, DataError> {
    // Numbers are class numbers only if all labels are numbers.
    let labels = entries.iter().filter_map(|entry| entry.label);
    if !labels.clone().all(|label| label.parse::<i64>().is_ok()) {
        return Ok(Classes::from_names(labels));
    }

    let mut numbers = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(label) = entry.label else { continue };
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
