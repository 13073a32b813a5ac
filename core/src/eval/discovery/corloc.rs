//! Correct localisation: in how many images the one box lies on an object.

use crate::annotation::boxes::BoundingBox;

/// Intersection over union from which on a box has found an object.
pub const FOUND_IOU: f64 = 0.5;

/// Counts of images whose objects are known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CorLoc {
    /// Images.
    pub images: usize,
    /// Images whose box has found an object.
    pub found: usize,
    /// The highest intersection over union of each image's box with an object, summed.
    pub iou_sum: f64,
}

impl CorLoc {
    /// Counts an image with its `objects`, at least one, and gives the highest intersection over
    /// union. An image without a box has found nothing.
    pub fn add(&mut self, found: Option<&BoundingBox>, objects: &[BoundingBox]) -> f64 {
        let ious = objects
            .iter()
            .map(|object| found.map_or(0.0, |found| found.iou(object)));
        let best = ious.fold(0.0, f64::max);
        self.images += 1;
        self.found += usize::from(best >= FOUND_IOU);
        self.iou_sum += best;
        best
    }

    /// The share of images whose box has found an object.
    pub fn share(&self) -> f64 {
        self.found as f64 / self.images as f64
    }

    /// The mean over images of the highest intersection over union.
    pub fn mean_iou(&self) -> f64 {
        self.iou_sum / self.images as f64
    }
}
