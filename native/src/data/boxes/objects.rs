//! What is known of the objects of images.

use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::annotation::coco::Region;

/// The objects of a dataset's images.
#[derive(Debug, Default)]
pub struct ObjectBoxes {
    /// Names of classes.
    pub classes: Vec<String>,
    /// For each image.
    pub images: Vec<BoxedImage>,
    /// Images and objects that were left out, one a line, with the reason.
    pub problems: Vec<String>,
}

/// The objects of an image.
#[derive(Debug, PartialEq)]
pub struct BoxedImage {
    /// Width and height for which boxes were drawn, where that is known.
    pub size: Option<(usize, usize)>,
    pub objects: Vec<ObjectBox>,
}

/// An object of an image.
#[derive(Debug, PartialEq)]
pub struct ObjectBox {
    pub bounds: BoundingBox,
    /// By place in [`ObjectBoxes::classes`].
    pub class: usize,
    /// A group of objects that were not marked one by one (COCO).
    pub crowd: bool,
    /// Hard to recognise (VOC).
    pub difficult: bool,
    /// Partly outside of the box (VOC).
    pub truncated: bool,
    /// Its pixels, where they are known (COCO).
    pub region: Option<Region>,
}
