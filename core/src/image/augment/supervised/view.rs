//! One augmented view: its parameters and what they do to an image.

use super::erase::Erasure;
use super::operation::Distortion;
use crate::image::RgbImage;
use crate::image::normalize::normalize_into;
use crate::image::resize::{CropBox, flip, resized_crop};

/// All that is random in a view; [`SupervisedParams::draw`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisedParams {
    /// The part of the image to show.
    pub crop: CropBox,
    /// Whether to mirror it.
    pub flip: bool,
    /// What RandAugment does, in the order of application.
    pub distortions: Vec<Distortion>,
    /// The rectangle that is replaced by noise, if any.
    pub erasure: Option<Erasure>,
}

impl SupervisedParams {
    /// The view in bytes, before normalisation and erasing.
    pub fn distort(&self, image: &RgbImage, size: usize) -> RgbImage {
        let mut view = resized_crop(image, self.crop, size);
        if self.flip {
            flip(&mut view);
        }
        for distortion in &self.distortions {
            distortion.apply(&mut view);
        }
        view
    }

    /// Writes the view into `out`: three normalised planes of `size` x `size` values.
    pub fn write(&self, image: &RgbImage, size: usize, out: &mut [f32]) {
        normalize_into(&self.distort(image, size), out);
        if let Some(erasure) = &self.erasure {
            erasure.apply(out, size);
        }
    }
}
