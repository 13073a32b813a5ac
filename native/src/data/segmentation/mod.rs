//! Images whose pixels have labels: the layouts of ADE20K, PASCAL VOC and DAVIS, and a folder of
//! images beside one of masks.

mod ade20k;
mod davis;
mod images;
mod numbers;
mod pairs;
mod voc;

use std::path::Path;

use super::dataset::Dataset;
use super::error::DataError;
use super::split::place_and_split;
use super::tree::FileTree;

/// Opens a set of one of the layouts; `None` if `spec` is something else.
pub fn open(spec: &str) -> Result<Option<Dataset>, DataError> {
    let (place, split) = place_and_split(spec);
    if place == Path::new("builtin") {
        return Ok(None);
    }
    let Some(tree) = FileTree::open(place)? else {
        return Ok(None);
    };

    for find in [ade20k::find, voc::find, davis::find, pairs::find] {
        if let Some(found) = find(&tree, split)? {
            return found.open(tree, spec).map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
