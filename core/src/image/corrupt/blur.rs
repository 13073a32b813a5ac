//! Blurs of lenses, of glass and of motion.

use super::draws::Draws;
use super::filter::{correlate, disk, gaussian, motion, zoomed};
use super::kind::Severity;
use super::plane::{Plane, join, split};
use crate::image::RgbImage;

pub fn gaussian_blur(image: &RgbImage, severity: Severity) -> RgbImage {
    let sigma = severity.of([1.0, 2.0, 3.0, 4.0, 6.0]);
    join(&split(image).map(|channel| gaussian(&channel, sigma)))
}

pub fn defocus_blur(image: &RgbImage, severity: Severity) -> RgbImage {
    let (radius, soft) = severity.of([(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)]);
    let kernel = disk(radius, soft);
    join(&split(image).map(|channel| correlate(&channel, &kernel)))
}

/// Pixels take the color of others nearby.
pub fn glass_blur(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let (sigma, reach, rounds) = severity.of([
        (0.7, 1, 2),
        (0.9, 2, 1),
        (1.0, 2, 3),
        (1.1, 3, 2),
        (1.5, 4, 2),
    ]);
    let mut shuffled = join(&split(image).map(|channel| gaussian(&channel, sigma)));

    let (width, height) = (image.width(), image.height());
    for _ in 0..rounds {
        for y in (reach + 1..=height - reach).rev() {
            for x in (reach + 1..=width - reach).rev() {
                let [dx, dy] = [(); 2].map(|()| draws.offset(reach as isize));
                let from = shuffled.pixel(x.strict_add_signed(dx), y.strict_add_signed(dy));
                // The benchmark's code means to swap both pixels, but copies one.
                let at = 3 * (y * width + x);
                shuffled.pixels_mut()[at..at + 3].copy_from_slice(&from);
            }
        }
    }
    join(&split(&shuffled).map(|channel| gaussian(&channel, sigma)))
}

pub fn motion_blur(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let (radius, sigma) = severity.of([(10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)]);
    let angle = draws.between(-45.0, 45.0);
    join(&split(image).map(|channel| motion(&channel, radius, sigma, angle)))
}

/// The mean of the image and of larger and larger middles of it.
pub fn zoom_blur(image: &RgbImage, severity: Severity) -> RgbImage {
    let (most, step): (f64, f64) = severity.of([
        (1.11, 0.01),
        (1.16, 0.01),
        (1.21, 0.02),
        (1.26, 0.02),
        (1.31, 0.03),
    ]);
    // As NumPy counts, by whose rounding the largest factor can be `most` itself.
    let count = ((most - 1.0) / step).ceil() as usize;
    let step = (1.0 + step) - 1.0;

    join(&split(image).map(|channel| {
        let mut sum = channel.clone();
        for number in 0..count {
            let layer = zoomed(&channel, 1.0 + number as f64 * step);
            add(&mut sum, &layer);
        }
        sum.map(|value| value / (count + 1) as f64)
    }))
}

/// Adds the upper left part of `layer`, which may be larger.
fn add(sum: &mut Plane, layer: &Plane) {
    let width = sum.width;
    for (place, value) in sum.values.iter_mut().enumerate() {
        *value += layer.at(place % width, place / width);
    }
}
