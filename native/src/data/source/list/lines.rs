//! Lists of lines `path`, `path<TAB>label`, `path,label` or, for a path without spaces, `path label`.
//! Blank lines and lines that start with `#` are skipped.

use std::path::Path;

use super::entry::ListEntry;
use crate::data::error::DataError;
use crate::data::file_names::has_image_extension;

/// The images of the list at `list`, whose paths are relative to `root`.
///
/// # Errors
/// If a line is in none of the forms.
pub fn entries(list: &Path, text: &str, root: &Path) -> Result<Vec<ListEntry>, DataError> {
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }

        let split = split(text, root);
        let (path, label) = split.map_err(|problem| DataError::list(list, line, problem))?;
        entries.push(ListEntry {
            line,
            path: path.to_owned(),
            label: label.map(str::to_owned),
        });
    }
    Ok(entries)
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
