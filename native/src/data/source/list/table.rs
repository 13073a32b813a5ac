//! Lists of comma-separated values: a path and a label a line, or columns that a header names.
//!
//! Fields may be in quotes, as RFC 4180 has it. Tabs or semicolons may take the place of commas.
//! Lines that start with `#` are skipped.

use std::path::Path;

use csv::{Position, ReaderBuilder, StringRecord, Trim};

use super::entry::ListEntry;
use crate::data::error::DataError;
use crate::data::file_names::has_image_extension;

/// What the column of the paths may be called.
const PATHS: [&str; 10] = [
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "name",
    "image",
    "img",
    "image_path",
];
/// What the column of the labels may be called.
const LABELS: [&str; 8] = [
    "label",
    "labels",
    "class",
    "class_name",
    "category",
    "category_name",
    "target",
    "y",
];

/// Where a line has its path and its label.
#[derive(Clone, Copy)]
struct Columns {
    path: usize,
    label: Option<usize>,
    /// How many fields a line has.
    count: usize,
}

/// The images of the list at `list`.
///
/// # Errors
/// If a line has not as many fields as the first, has no path, or it is unclear which column has
/// the labels.
pub fn entries(list: &Path, text: &str) -> Result<Vec<ListEntry>, DataError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .delimiter(delimiter_of(text))
        .from_reader(text.as_bytes());

    let mut entries = Vec::new();
    let mut columns: Option<Columns> = None;
    for record in reader.records() {
        // The text is UTF-8 and lines may have any length, so that nothing is left to go wrong.
        let record = record.map_err(|error| DataError::layout(list, error.to_string()))?;
        if record.iter().all(str::is_empty) {
            continue;
        }

        let line = line_of(text, record.position());
        let at_fault = |problem: String| DataError::list(list, line, problem);
        let known = match columns {
            Some(known) => known,
            None => {
                let is_header = is_header(&record);
                let found = match is_header {
                    true => Columns::named(&record),
                    false => Columns::usual(record.len()),
                };
                let found = found.map_err(at_fault)?;
                columns = Some(found);
                if is_header {
                    continue;
                }
                found
            }
        };
        entries.push(known.entry(line, &record).map_err(at_fault)?);
    }
    Ok(entries)
}

impl Columns {
    /// Those of a list without a header.
    fn usual(count: usize) -> Result<Self, String> {
        match count {
            1 | 2 => Ok(Self {
                path: 0,
                label: (count == 2).then_some(1),
                count,
            }),
            _ => Err(format!(
                "{count} fields, where `path` or `path,label` is expected; put a path with a comma in quotes, or \
                 name the columns in the first line"
            )),
        }
    }

    /// Those that a header names.
    fn named(header: &StringRecord) -> Result<Self, String> {
        let count = header.len();
        let path = place_of(header, &PATHS).unwrap_or_default();
        let label = match place_of(header, &LABELS) {
            Some(label) => Some(label),
            None if count == 1 => None,
            None if count == 2 => Some(1 - path),
            None => {
                let names: Vec<&str> = header.iter().collect();
                return Err(format!(
                    "no column is called `label`, and there are {count}: {}; call one so, or leave two columns",
                    names.join(", ")
                ));
            }
        };
        Ok(Self { path, label, count })
    }

    fn entry(self, line: usize, record: &StringRecord) -> Result<ListEntry, String> {
        let found = record.len();
        // A label that is missing altogether is told of with the labels of other lines.
        let is_unlabelled = found == 1 && self.label == Some(1) && self.path == 0;
        if found != self.count && !is_unlabelled {
            return Err(format!(
                "{found} fields, where the first line has {}; put a field with a comma in quotes",
                self.count
            ));
        }

        let path = record.get(self.path).unwrap_or_default();
        if path.is_empty() {
            return Err("no path before the label; write `path,label`".to_owned());
        }
        let label = self.label.and_then(|place| record.get(place));
        if label.is_some_and(str::is_empty) {
            return Err(
                "no label after the separator; write `path,label`, or the path alone".to_owned(),
            );
        }
        Ok(ListEntry {
            line,
            path: path.to_owned(),
            label: label.map(str::to_owned),
        })
    }
}

/// Whether a line names columns: one is called as that of the paths is, and none is an image.
fn is_header(record: &StringRecord) -> bool {
    let has_image = record.iter().any(has_image_extension);
    place_of(record, &PATHS).is_some() && !has_image
}

/// The first column with one of the names, of which earlier ones go first.
fn place_of(header: &StringRecord, names: &[&str]) -> Option<usize> {
    let place = |name: &&str| {
        header
            .iter()
            .position(|field| field.eq_ignore_ascii_case(name))
    };
    names.iter().find_map(place)
}

/// The separator of the first line that has one.
fn delimiter_of(text: &str) -> u8 {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        for separator in [b',', b'\t', b';'] {
            if line.as_bytes().contains(&separator) {
                return separator;
            }
        }
    }
    b','
}

/// The line of a record, counted from 1.
fn line_of(text: &str, position: Option<&Position>) -> usize {
    let Some(position) = position else { return 0 };
    // The reader counts lines that it skips as part of the record after them.
    let from = text.get(position.byte() as usize..).unwrap_or_default();
    let is_skipped = |line: &&str| line.trim().is_empty() || line.starts_with('#');
    position.line() as usize + from.lines().take_while(is_skipped).count()
}
