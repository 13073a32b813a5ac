//! Images with masks in a layout of their own, or other images.

use anyhow::Result;

use crate::data::Dataset;

/// Opens images whose pixels have labels, or what any evaluation takes.
pub fn open(spec: &str) -> Result<Dataset> {
    if let Some(data) = Dataset::open_segmentation(spec)? {
        return Ok(data);
    }
    Ok(Dataset::open(spec)?)
}
