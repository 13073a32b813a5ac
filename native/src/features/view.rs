//! How an image is cut for the network.

use std::ops::RangeInclusive;

use ibot_core::annotation::labels::LabelMap;
use ibot_core::image::RgbImage;
use ibot_core::image::resize::eval_view;

/// A resize, then a central crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalView {
    /// Side of the central crop, in pixels.
    pub size: usize,
    /// Side to which the shorter side of an image is resized before the crop, divided by `size`.
    pub resize_ratio: f64,
}

impl EvalView {
    /// Ratios that settings may ask for.
    pub const RESIZE_RATIOS: RangeInclusive<f64> = 1.0..=4.0;

    /// This view with what settings change of it.
    pub fn with(self, size: Option<usize>, resize_ratio: Option<f64>) -> Self {
        Self {
            size: size.unwrap_or(self.size),
            resize_ratio: resize_ratio.unwrap_or(self.resize_ratio),
        }
    }

    /// The crop of an image, with black borders where the resized image is smaller.
    pub fn cut(self, image: &RgbImage) -> RgbImage {
        eval_view(image, self.size, self.resized_side())
    }

    /// The labels in the crop of an image with these labels, `side` x `side` of them; those of black
    /// borders are ignored.
    pub fn cut_labels(self, labels: &LabelMap, side: usize) -> LabelMap {
        labels.eval_view(self.size, self.resized_side(), side)
    }

    fn resized_side(self) -> usize {
        (self.size as f64 * self.resize_ratio).round() as usize
    }

    /// Numbers in the crop: three channels.
    pub(super) fn values(self) -> usize {
        3 * self.size * self.size
    }
}
