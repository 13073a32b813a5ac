//! The augmentation under which a network learns from labels: the DeiT recipe (arXiv 2012.12877) with
//! timm 0.4.12's definitions and Pillow's arithmetic on 8-bit pixels.
//!
//! RandomResizedCrop (bicubic), a horizontal flip, RandAugment (`rand-m9-mstd0.5-inc1`),
//! normalisation, RandomErasing. [`SupervisedParams::draw`] decides, [`SupervisedParams::write`]
//! computes. The same generator gives the same view again.

mod affine;
mod config;
mod draw;
mod erase;
mod operation;
mod sharpness;
mod tables;
#[cfg(test)]
mod tests;
mod view;

pub use config::{EraseConfig, RandAugmentConfig, SupervisedConfig};
pub use erase::Erasure;
pub use operation::{Distortion, RandAugmentOp};
pub use view::SupervisedParams;

use crate::image::RgbImage;
use crate::rng::Rng;

/// Draws a view of `image` and writes it into `out` as three normalised planes (red, green, blue;
/// row-major) of `size` x `size` values.
pub fn supervised_view(
    image: &RgbImage,
    size: usize,
    config: &SupervisedConfig,
    rng: &mut Rng,
    out: &mut [f32],
) {
    let params = SupervisedParams::draw(image.width(), image.height(), size, config, rng);
    params.write(image, size, out);
}
