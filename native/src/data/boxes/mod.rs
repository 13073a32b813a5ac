//! Images with boxes around their objects, in the layouts of COCO and Pascal VOC.

mod coco;
mod objects;
mod source;
mod voc;

pub use self::objects::{BoxedImage, ObjectBox, ObjectBoxes};
use super::dataset::Dataset;
use super::error::DataError;
use super::place::NamedPlace;

/// Opens a set of one of the layouts; `None` if `place` is something else.
pub(super) fn open(place: &NamedPlace) -> Result<Option<Dataset>, DataError> {
    let is_json = place
        .path
        .extension()
        .is_some_and(|ending| ending == "json");
    if is_json && place.path.is_file() {
        return coco::open_file(place.path, place.spec);
    }
    let Some(tree) = place.tree()? else {
        return Ok(None);
    };
    if let Some(data) = coco::open_layout(&tree, place.part, place.spec)? {
        return Ok(Some(data));
    }
    voc::open_layout(&tree, place.part, place.spec)
}

#[cfg(test)]
mod tests;
