//! Drawing the parameters of a view, with timm's distributions (not its random numbers).

use rand_distr::{Distribution as _, StandardNormal};

use super::config::{EraseConfig, RandAugmentConfig, SupervisedConfig};
use super::erase::{Erasure, rectangle};
use super::operation::{Distortion, MAX_MAGNITUDE, RandAugmentOp};
use super::view::SupervisedParams;
use crate::image::augment::draw::{chance, draw_crop, offset, uniform};
use crate::image::resize::CropBox;
use crate::rng::Rng;

impl SupervisedParams {
    /// Draws a view of `size` x `size` pixels of an image of `width` x `height` pixels.
    pub fn draw(
        width: usize,
        height: usize,
        size: usize,
        config: &SupervisedConfig,
        rng: &mut Rng,
    ) -> Self {
        let (scale, ratio) = (config.crop_scale, config.crop_ratio);
        // Fields are drawn in this order; another one would change the views of every seed.
        Self {
            crop: draw_crop(width.max(1), height.max(1), scale, ratio, rng),
            flip: chance(rng, config.flip),
            distortions: draw_distortions(&config.rand_augment, rng),
            erasure: draw_erasure(&config.erase, size, rng),
        }
    }
}

/// Operations with replacement, each carried out or not.
fn draw_distortions(config: &RandAugmentConfig, rng: &mut Rng) -> Vec<Distortion> {
    let mut distortions = Vec::with_capacity(config.ops);
    for _ in 0..config.ops {
        let operation = RandAugmentOp::ALL[offset(rng, RandAugmentOp::ALL.len() - 1)];
        if !chance(rng, config.probability) {
            continue;
        }

        let normal: f64 = StandardNormal.sample(rng);
        let magnitude = config.magnitude + config.magnitude_std * normal;
        distortions.push(Distortion {
            operation,
            magnitude: magnitude.clamp(0.0, MAX_MAGNITUDE),
            negative: chance(rng, 0.5),
        });
    }
    distortions
}

fn draw_erasure(config: &EraseConfig, size: usize, rng: &mut Rng) -> Option<Erasure> {
    if !chance(rng, config.probability) {
        return None;
    }

    for _ in 0..10 {
        let area = uniform(rng, config.area);
        // Uniform in the logarithm, so that a ratio and its inverse are equally likely.
        let ratio = uniform(rng, config.ratio.map(f64::ln)).exp();
        if let Some([height, width]) = rectangle(size, area, ratio) {
            let top = offset(rng, size - height);
            let left = offset(rng, size - width);
            let noise = (0..3 * height * width).map(|_| StandardNormal.sample(rng));
            return Some(Erasure {
                noise: noise.collect(),
                area: CropBox {
                    left,
                    top,
                    width,
                    height,
                },
            });
        }
    }
    None
}

#[cfg(test)]
mod tests;
