//! Images with masks in a layout of their own, or other images.

use anyhow::Result;

use crate::data::Dataset;

/// Opens images whose pixels have labels, or what any evaluation takes.
///
/// # Errors
/// If there are no such images.
pub fn open(spec: &str) -> Result<Dataset> {
    match Dataset::open_segmentation(spec)? {
        Some(data) => Ok(data),
        None => Ok(Dataset::open(spec)?),
    }
}
