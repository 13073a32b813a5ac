//! Text files that people write.

use std::fs;
use std::path::Path;

use super::error::DataError;
use super::gzip::{decompress, is_gzip};

/// The text in the file at `path`, which gzip may have compressed, without a byte order mark.
///
/// # Errors
/// If it cannot be read, or is not UTF-8; the message gives the line.
pub fn read_text(path: &Path) -> Result<String, DataError> {
    let mut bytes = fs::read(path).map_err(DataError::read(path))?;
    if is_gzip(&bytes) {
        bytes = decompress(path)?;
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        DataError::list(path, line, "not UTF-8 text; save the list as UTF-8")
    })?;
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}
