//! A channel of an image in floating point, and what lies beyond its edges.

use crate::image::RgbImage;

/// One channel, row-major, usually between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f64>,
}

/// Which pixel stands for one beyond the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeRule {
    /// The nearest: a a | a b c.
    Nearest,
    /// The image is mirrored, its last pixel counts twice: b a | a b c.
    Reflect,
    /// The image is mirrored about its last pixel: c b | a b c.
    Mirror,
}

impl EdgeRule {
    /// The pixel of `0..len` for place `at`.
    pub fn index(self, at: isize, len: usize) -> usize {
        let len = len as isize;
        let folded = match self {
            Self::Nearest => at.clamp(0, len - 1),
            Self::Reflect => {
                let at = at.rem_euclid(2 * len);
                at.min(2 * len - 1 - at)
            }
            Self::Mirror => {
                let period = (2 * len - 2).max(1);
                let at = at.rem_euclid(period);
                at.min(period - at).min(len - 1)
            }
        };
        folded as usize
    }
}

impl Plane {
    pub fn from_fn(
        width: usize,
        height: usize,
        mut value: impl FnMut(usize, usize) -> f64,
    ) -> Self {
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                values.push(value(x, y));
            }
        }
        Self {
            width,
            height,
            values,
        }
    }

    pub fn at(&self, x: usize, y: usize) -> f64 {
        self.values[y * self.width + x]
    }

    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            values: self.values.iter().map(|value| change(*value)).collect(),
            ..*self
        }
    }

    /// Its upper left part.
    pub fn corner(&self, width: usize, height: usize) -> Self {
        Self::from_fn(width, height, |x, y| self.at(x, y))
    }
}

/// The three channels of an image, from 0 to 1.
pub fn split(image: &RgbImage) -> [Plane; 3] {
    [0, 1, 2].map(|channel| {
        Plane::from_fn(image.width(), image.height(), |x, y| {
            f64::from(image.pixel(x, y)[channel]) / 255.0
        })
    })
}

/// The image of three channels of equal size.
pub fn join(channels: &[Plane; 3]) -> RgbImage {
    RgbImage::from_fn(channels[0].width, channels[0].height, |x, y| {
        [0, 1, 2].map(|channel| byte(channels[channel].at(x, y)))
    })
}

/// A value of 0 to 1 as a byte. The fraction is cut off, as the benchmark's code does.
pub fn byte(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0) as u8
}

/// Each value of each pixel, red, green and blue in turn, changed by itself.
pub fn each_value(image: &RgbImage, mut change: impl FnMut(f64) -> f64) -> RgbImage {
    let mut out = image.clone();
    for value in out.pixels_mut() {
        *value = byte(change(f64::from(*value) / 255.0));
    }
    out
}
