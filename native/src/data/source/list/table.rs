//! Lists of comma-separated values: a path and a label a line, or columns that a header names.
//!
//! Fields may be in quotes, as RFC 4180 has it. Tabs or semicolons may take the place of commas.
//! Lines that start with `#` are skipped.

use std::path::Path;

use super::entry::ListEntry;
use super::record::records;
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
    let mut entries = Vec::new();
    let mut columns: Option<Columns> = None;
    for record in records(text, delimiter_of(text)) {
        let (line, fields) = (record.line, record.fields);
        let at_fault = |problem: String| DataError::list(list, line, problem);
        let known = match columns {
            Some(known) => known,
            None => {
                let is_header = is_header(&fields);
                let found = match is_header {
                    true => Columns::named(&fields),
                    false => Columns::usual(fields.len()),
                };
                let found = found.map_err(at_fault)?;
                columns = Some(found);
                if is_header {
                    continue;
                }
                found
            }
        };
        entries.push(known.entry(line, &fields).map_err(at_fault)?);
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
    fn named(header: &[String]) -> Result<Self, String> {
        let count = header.len();
        let path = place_of(header, &PATHS).unwrap_or_default();
        let label = match place_of(header, &LABELS) {
            Some(label) => Some(label),
            None if count == 1 => None,
            None if count == 2 => Some(1 - path),
            None => {
                return Err(format!(
                    "no column is called `label`, and there are {count}: {}; call one so, or leave two columns",
                    header.join(", ")
                ));
            }
        };
        Ok(Self { path, label, count })
    }

    fn entry(self, line: usize, fields: &[String]) -> Result<ListEntry, String> {
        let found = fields.len();
        // A label that is missing altogether is told of with the labels of other lines.
        let is_unlabelled = found == 1 && self.label == Some(1) && self.path == 0;
        if found != self.count && !is_unlabelled {
            return Err(format!(
                "{found} fields, where the first line has {}; put a field with a comma in quotes",
                self.count
            ));
        }

        let path = fields.get(self.path).map_or("", String::as_str);
        if path.is_empty() {
            return Err("no path before the label; write `path,label`".to_owned());
        }
        let label = self.label.and_then(|place| fields.get(place));
        if label.is_some_and(String::is_empty) {
            return Err(
                "no label after the separator; write `path,label`, or the path alone".to_owned(),
            );
        }
        Ok(ListEntry {
            line,
            path: path.to_owned(),
            label: label.cloned(),
        })
    }
}

/// Whether a line names columns: one is called as that of the paths is, and none is an image.
fn is_header(fields: &[String]) -> bool {
    let has_image = fields.iter().any(|field| has_image_extension(field));
    place_of(fields, &PATHS).is_some() && !has_image
}

/// The first column with one of the names, of which earlier ones go first.
fn place_of(header: &[String], names: &[&str]) -> Option<usize> {
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
