//! The true boxes of images.

use anyhow::{Result, ensure};
use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::annotation::labels::{IGNORED, LabelMap};
use ibot_core::image::RgbImage;

use crate::data::{Dataset, ObjectBoxes};

/// Whether boxes or masks of objects are known.
pub fn has_objects(data: &Dataset) -> bool {
    data.annotation::<ObjectBoxes>().is_some() || !data.pixel_classes().is_empty()
}

/// The boxes of image `index`, which is `image`: those of single objects, or the one around all
/// pixels that its mask gives to objects.
///
/// # Errors
/// If the image has another size than its annotation, or its mask cannot be read.
pub fn objects_of(data: &Dataset, index: usize, image: &RgbImage) -> Result<Vec<BoundingBox>> {
    let size = (image.width(), image.height());
    let Some(known) = data.annotation::<ObjectBoxes>() else {
        return Ok(around_objects(&data.mask(index)?).into_iter().collect());
    };

    let boxed = &known.images[index];
    if let Some((width, height)) = boxed.size {
        ensure!(
            size == (width, height),
            "{} has {} x {} pixels, but its boxes are for {width} x {height}",
            data.name(index),
            size.0,
            size.1
        );
    }
    let objects = boxed.objects.iter().filter(|object| !object.crowd);
    Ok(objects.map(|object| object.bounds).collect())
}

/// The box around the pixels of all classes but the background.
pub fn around_objects(mask: &LabelMap) -> Option<BoundingBox> {
    let is_object = |label: &usize| *label != 0 && *label != IGNORED;
    BoundingBox::of_cells(mask.cells().iter().map(is_object), mask.columns())
}
