//! Noise of single values.

use super::draws::{Draws, poisson};
use super::kind::Severity;
use super::plane::each_value;
use crate::image::RgbImage;
use crate::rng::Rng;

pub fn gaussian_noise(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let deviation = severity.of([0.08, 0.12, 0.18, 0.26, 0.38]);
    each_value(image, |value| value + deviation * draws.normal())
}

/// Noise of few photons: each value is the number of those that came.
pub fn shot_noise(image: &RgbImage, severity: Severity, rng: &mut Rng) -> RgbImage {
    let photons = severity.of([60.0, 25.0, 12.0, 5.0, 3.0]);
    each_value(image, |value| poisson(value * photons, rng) / photons)
}

/// Some values become 0 or 1.
pub fn impulse_noise(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let share = severity.of([0.03, 0.06, 0.09, 0.17, 0.27]);
    each_value(image, |value| {
        if draws.uniform() >= share {
            value
        } else {
            f64::from(draws.uniform() < 0.5)
        }
    })
}

/// Noise in proportion to the value.
pub fn speckle_noise(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let deviation = severity.of([0.15, 0.2, 0.35, 0.45, 0.6]);
    each_value(image, |value| value + value * deviation * draws.normal())
}
