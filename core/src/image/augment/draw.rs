//! Drawing the parameters of a view, with torchvision's distributions (not its random numbers).

use rand::RngExt;

use crate::image::augment::AugmentConfig;
use crate::image::augment::color::ColorOp;
use crate::image::augment::view::{Role, ViewParams};
use crate::image::resize::{CropBox, round_even};
use crate::rng::Rng;

impl ViewParams {
    /// Draws a view of an image of `width` x `height` pixels. `scale` bounds the area of the crop
    /// relative to the image.
    pub fn draw(
        width: usize,
        height: usize,
        role: Role,
        scale: [f64; 2],
        config: &AugmentConfig,
        rng: &mut Rng,
    ) -> Self {
        let (blur, solarize) = match role {
            Role::FirstGlobal => (config.blur_global1, 0.0),
            Role::OtherGlobal => (config.blur_global2, config.solarize),
            Role::Local => (config.blur_local, 0.0),
        };

        // Fields are drawn in this order; another one would change the views of every seed.
        Self {
            crop: draw_crop(width.max(1), height.max(1), scale, config.crop_ratio, rng),
            flip: chance(rng, config.flip),
            jitter: if chance(rng, config.color_jitter) {
                draw_jitter(config, rng)
            } else {
                Vec::new()
            },
            grayscale: chance(rng, config.grayscale),
            blur: chance(rng, blur).then(|| uniform(rng, config.blur_radius) as f32),
            solarize: chance(rng, solarize),
        }
    }
}

/// torchvision's `RandomResizedCrop.get_params`.
pub(super) fn draw_crop(
    width: usize,
    height: usize,
    scale: [f64; 2],
    ratio: [f64; 2],
    rng: &mut Rng,
) -> CropBox {
    let (full_width, full_height) = (width as f64, height as f64);
    for _ in 0..10 {
        let area = full_width * full_height * uniform(rng, scale);
        // Uniform in the logarithm, so that a ratio and its inverse are equally likely.
        let aspect = uniform(rng, ratio.map(f64::ln)).exp();
        let crop_width = round_even((area * aspect).sqrt());
        let crop_height = round_even((area / aspect).sqrt());

        if (1.0..=full_width).contains(&crop_width) && (1.0..=full_height).contains(&crop_height) {
            let (crop_width, crop_height) = (crop_width as usize, crop_height as usize);
            let top = offset(rng, height - crop_height);
            let left = offset(rng, width - crop_width);
            return CropBox {
                left,
                top,
                width: crop_width,
                height: crop_height,
            };
        }
    }

    // No box fits: the largest central one with an allowed ratio.
    let whole = full_width / full_height;
    let (mut crop_width, mut crop_height) = (width, height);
    if whole < ratio[0] {
        crop_height = (round_even(full_width / ratio[0]) as usize).clamp(1, height);
    } else if whole > ratio[1] {
        crop_width = (round_even(full_height * ratio[1]) as usize).clamp(1, width);
    }
    CropBox {
        left: (width - crop_width) / 2,
        top: (height - crop_height) / 2,
        width: crop_width,
        height: crop_height,
    }
}

/// torchvision's `ColorJitter.get_params`: all four factors in random order.
fn draw_jitter(config: &AugmentConfig, rng: &mut Rng) -> Vec<ColorOp> {
    let brightness = factor(rng, config.brightness);
    let contrast = factor(rng, config.contrast);
    let saturation = factor(rng, config.saturation);
    let hue = uniform(rng, [-config.hue, config.hue]) as f32;
    let mut ops = vec![
        (config.brightness, ColorOp::Brightness(brightness)),
        (config.contrast, ColorOp::Contrast(contrast)),
        (config.saturation, ColorOp::Saturation(saturation)),
        (config.hue, ColorOp::Hue(hue)),
    ];

    // A shuffle by the generator's own numbers, so that views stay the same over versions of rand.
    for last in (1..ops.len()).rev() {
        ops.swap(last, offset(rng, last));
    }
    // An operation without strength changes nothing and would take a pass over the image.
    ops.into_iter()
        .filter(|(strength, _)| *strength > 0.0)
        .map(|(_, op)| op)
        .collect()
}

fn factor(rng: &mut Rng, strength: f64) -> f32 {
    uniform(rng, [(1.0 - strength).max(0.0), 1.0 + strength]) as f32
}

pub(super) fn chance(rng: &mut Rng, probability: f64) -> bool {
    // `random_bool` panics for a probability outside of 0 to 1, NaN included.
    rng.random::<f64>() < probability
}

pub(super) fn uniform(rng: &mut Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// One of `0..=largest`.
pub(super) fn offset(rng: &mut Rng, largest: usize) -> usize {
    rng.random_range(0..=largest)
}

#[cfg(test)]
mod tests;
