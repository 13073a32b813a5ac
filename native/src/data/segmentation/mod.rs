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
use super::place::NamedPlace;

/// Opens a set of one of the layouts; `None` if `place` is something else.
pub fn open(place: &NamedPlace) -> Result<Option<Dataset>, DataError> {
    if place.path == Path::new("builtin") {
        return Ok(None);
    }
    let Some(tree) = place.tree()? else {
        return Ok(None);
    };

    for find in [ade20k::find, voc::find, davis::find, pairs::find] {
        if let Some(found) = find(&tree, place.part)? {
            return found.open(tree, place.spec).map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
