//! Images with boxes around their objects, in the layouts of COCO and Pascal VOC.

mod coco;
mod objects;
mod source;
mod voc;

use std::sync::Arc;

pub use self::objects::{BoxedImage, ObjectBox, ObjectBoxes};
use super::dataset::Dataset;
use super::error::DataError;
use super::split::place_and_split;
use super::tree::FileTree;

/// Opens what `spec` names; `None` if it is in none of the layouts.
pub(super) fn open(spec: &str) -> Result<Option<Dataset>, DataError> {
    let (place, split) = place_and_split(spec);
    let is_json = place.extension().is_some_and(|ending| ending == "json");
    if is_json && place.is_file() {
        return coco::open_file(place, spec);
    }
    let Some(tree) = FileTree::open(place)? else {
        return Ok(None);
    };
    let tree = Arc::new(tree);
    if let Some(data) = coco::open_layout(&tree, split, spec)? {
        return Ok(Some(data));
    }
    voc::open_layout(&tree, split, spec)
}

#[cfg(test)]
mod tests;
