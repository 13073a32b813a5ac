//! Snow, frost, fog and bright light.

use super::color::{from_hsv, to_hsv};
use super::draws::Draws;
use super::filter::{motion, zoomed};
use super::fractal::plasma;
use super::kind::Severity;
use super::plane::{Plane, join, split};
use super::texture::frost_texture;
use crate::image::RgbImage;
use crate::rng::Rng;

#[derive(Clone, Copy)]
struct Snow {
    mean: f64,
    deviation: f64,
    zoom: f64,
    threshold: f64,
    radius: usize,
    sigma: f64,
    /// Share of the image's own colors; the rest is whitened.
    mix: f64,
}

impl Snow {
    const fn new(
        [mean, deviation, zoom, threshold]: [f64; 4],
        radius: usize,
        sigma: f64,
        mix: f64,
    ) -> Self {
        Self {
            mean,
            deviation,
            zoom,
            threshold,
            radius,
            sigma,
            mix,
        }
    }
}

/// Streaks of blurred noise, and the same turned by 180 degrees, on a whitened image.
pub fn snow(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let snow = severity.of([
        Snow::new([0.1, 0.3, 3.0, 0.5], 10, 4.0, 0.8),
        Snow::new([0.2, 0.3, 2.0, 0.5], 12, 4.0, 0.7),
        Snow::new([0.55, 0.3, 4.0, 0.9], 12, 8.0, 0.7),
        Snow::new([0.55, 0.3, 4.5, 0.85], 12, 8.0, 0.65),
        Snow::new([0.55, 0.3, 2.5, 0.85], 12, 12.0, 0.55),
    ]);
    let (width, height) = (image.width(), image.height());

    let flakes = Plane::from_fn(width, height, |_, _| {
        snow.mean + snow.deviation * draws.normal()
    });
    let flakes = zoomed(&flakes, snow.zoom);
    let flakes = flakes.map(|value| match value {
        value if value < snow.threshold => 0.0,
        value => value.min(1.0),
    });
    let angle = draws.between(-135.0, -45.0);
    let streaks = motion(&flakes, snow.radius, snow.sigma, angle).corner(width, height);
    let streaks = streaks.map(|value| (value * 255.0).round_ties_even() / 255.0);

    let [red, green, blue] = &split(image);
    let place = |x, y| {
        let gray = 0.299 * red.at(x, y) + 0.587 * green.at(x, y) + 0.114 * blue.at(x, y);
        let fallen = streaks.at(x, y) + streaks.at(width - 1 - x, height - 1 - y);
        (gray * 1.5 + 0.5, fallen)
    };
    let covered = |channel: &Plane| {
        Plane::from_fn(width, height, |x, y| {
            let (white, fallen) = place(x, y);
            let own = channel.at(x, y);
            snow.mix * own + (1.0 - snow.mix) * own.max(white) + fallen
        })
    };
    join(&[covered(red), covered(green), covered(blue)])
}

pub fn frost(image: &RgbImage, severity: Severity, rng: &mut Rng) -> RgbImage {
    frosted(
        image,
        severity,
        &frost_texture(image.width(), image.height(), rng),
    )
}

/// The image behind a texture of its size.
pub fn frosted(image: &RgbImage, severity: Severity, texture: &RgbImage) -> RgbImage {
    let (own, frost) = severity.of([(1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)]);
    let mut out = image.clone();
    for (value, ice) in out.pixels_mut().iter_mut().zip(texture.pixels()) {
        // A value above 255 becomes 255.
        *value = (own * f64::from(*value) + frost * f64::from(*ice)) as u8;
    }
    out
}

/// A cloudy map that is added, at the same largest value as before.
pub fn fog(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let (density, decay) =
        severity.of([(1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)]);
    let side = image.width().max(image.height()).next_power_of_two();
    let clouds = plasma(side, decay, draws);

    let brightest = image.pixels().iter().max().copied().unwrap_or_default();
    let brightest = f64::from(brightest) / 255.0;
    let scale = brightest / (brightest + density);
    join(&split(image).map(|channel| {
        Plane::from_fn(channel.width, channel.height, |x, y| {
            (channel.at(x, y) + density * clouds.at(x, y)) * scale
        })
    }))
}

/// More value in the sense of hue, saturation and value.
pub fn brightness(image: &RgbImage, severity: Severity) -> RgbImage {
    let more = severity.of([0.1, 0.2, 0.3, 0.4, 0.5]);
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [hue, saturation, value] = to_hsv(image.pixel(x, y));
        from_hsv([hue, saturation, (value + more).min(1.0)])
    })
}
