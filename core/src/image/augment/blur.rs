//! PIL's `ImageFilter.GaussianBlur`: three box blurs in a row along each axis, every one rounded to
//! 8 bits.
//!
//! The boxes have a fractional radius ([Gwosdek et al. 2011], "extended box filter"): whole pixels
//! near the center and one partly counted pixel at each end. Pixels behind an edge repeat the edge.
//!
//! [Gwosdek et al. 2011]: https://www.mia.uni-saarland.de/Publications/gwosdek-ssvm11.pdf

use crate::image::RgbImage;

/// Box blurs per axis; PIL's constant.
const PASSES: usize = 3;

// Far above any use; the weight of a pixel in a wider box would lose its last bits.
const MAX_RADIUS: f32 = 1000.0;

/// Blurs in place with the standard deviation `radius` in pixels. A radius that is not positive
/// changes nothing.
pub fn gaussian_blur(image: &mut RgbImage, radius: f32) {
    if radius.is_nan() || radius <= 0.0 {
        return;
    }

    // The bound only keeps absurd values from overflowing.
    let kernel = BoxKernel::for_gaussian(radius.min(MAX_RADIUS));
    let stride = image.width() * 3;
    let mut spare = vec![0; image.pixels().len()];
    let mut rows = RowBuffers::new(&kernel, stride);
    for (from, to) in image
        .pixels()
        .chunks_exact(stride)
        .zip(spare.chunks_exact_mut(stride))
    {
        rows.blur(&kernel, from, to);
    }

    // An odd number of passes leads from the spare buffer back into the image.
    let (mut from, mut to) = (spare.as_mut_slice(), image.pixels_mut());
    for _ in 0..PASSES {
        blur_columns(&kernel, from, to, stride);
        std::mem::swap(&mut from, &mut to);
    }
}

/// An extended box filter in 24-bit fixed point.
struct BoxKernel {
    /// Whole pixels on each side of the center.
    reach: usize,
    /// Weight of the center and the whole pixels.
    whole: u32,
    /// Weight of the two outermost, partly counted pixels.
    partial: u32,
}

impl BoxKernel {
    /// The box that, applied [`PASSES`] times, comes closest to a Gaussian.
    fn for_gaussian(radius: f32) -> Self {
        // f32 and f64 are mixed as in PIL, whose weights follow from them bit by bit.
        let variance = radius * radius / PASSES as f32;
        // Numbers are the paper's equations: [7] length of the box, [11] whole part of its radius,
        // [14] fraction.
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
        let fraction = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
        let radius = whole + fraction;
        let reach = radius as u32;
        let weight = ((1 << 24) as f32 / (radius * 2.0 + 1.0)) as u32;
        Self {
            reach: reach as usize,
            whole: weight,
            partial: ((1 << 24) - (2 * reach + 1) * weight) / 2,
        }
    }

    fn taps(&self) -> usize {
        2 * self.reach + 3
    }

    /// Filters a run of values, given that run shifted to each place under the box, from first to
    /// last.
    #[inline]
    fn combine(&self, taps: &[&[u8]], out: &mut [u8]) {
        let weigh = |inner: u32, outer: u32| {
            // Half of a unit rounds to the nearest, as in PIL.
            ((inner * self.whole + outer * self.partial + (1 << 23)) >> 24) as u8
        };

        // Training uses radii up to 2, which have 3 or 5 taps; without these cases every sum would
        // go through memory.
        match *taps {
            [first, center, last] => {
                for (((out, a), b), c) in out.iter_mut().zip(first).zip(center).zip(last) {
                    *out = weigh(u32::from(*b), u32::from(*a) + u32::from(*c));
                }
            }
            [first, left, center, right, last] => {
                let inner = left.iter().zip(center).zip(right);
                for (((out, a), ((b, c), d)), e) in out.iter_mut().zip(first).zip(inner).zip(last) {
                    *out = weigh(
                        u32::from(*b) + u32::from(*c) + u32::from(*d),
                        u32::from(*a) + u32::from(*e),
                    );
                }
            }
            [first, ref inner @ .., last] => {
                let mut sums = vec![0u32; out.len()];
                for tap in inner {
                    sums.iter_mut()
                        .zip(*tap)
                        .for_each(|(sum, value)| *sum += u32::from(*value));
                }
                for (((out, a), sum), b) in out.iter_mut().zip(first).zip(&sums).zip(last) {
                    *out = weigh(*sum, u32::from(*a) + u32::from(*b));
                }
            }
            _ => {}
        }
    }
}

fn blur_columns(kernel: &BoxKernel, from: &[u8], to: &mut [u8], stride: usize) {
    let last = (from.len() / stride).saturating_sub(1);
    let mut taps = Vec::with_capacity(kernel.taps());
    // Along rows, so that memory is read in order and neighboring columns share vector
    // instructions.
    for (y, out) in to.chunks_exact_mut(stride).enumerate() {
        taps.clear();
        taps.extend((0..kernel.taps()).map(|tap| {
            let row = (y + tap).saturating_sub(kernel.reach + 1).min(last);
            &from[row * stride..][..stride]
        }));
        kernel.combine(&taps, out);
    }
}

// Edge pixels are repeated, so that blurring along a row needs no case for the edges.
struct RowBuffers {
    padded: Vec<u8>,
    blurred: Vec<u8>,
    margin: usize,
}

impl RowBuffers {
    fn new(kernel: &BoxKernel, stride: usize) -> Self {
        let margin = (kernel.reach + 1) * 3;
        Self {
            padded: vec![0; stride + 2 * margin],
            blurred: vec![0; stride],
            margin,
        }
    }

    fn blur(&mut self, kernel: &BoxKernel, from: &[u8], to: &mut [u8]) {
        self.blurred.copy_from_slice(from);
        for pass in 0..PASSES {
            self.pad();
            let taps: Vec<&[u8]> = (0..kernel.taps())
                .map(|tap| &self.padded[tap * 3..][..from.len()])
                .collect();
            kernel.combine(
                &taps,
                if pass + 1 == PASSES {
                    to
                } else {
                    &mut self.blurred
                },
            );
        }
    }

    fn pad(&mut self) {
        let stride = self.blurred.len();
        self.padded[self.margin..][..stride].copy_from_slice(&self.blurred);
        let (first, last) = (
            [0, 1, 2].map(|c| self.blurred[c]),
            [3, 2, 1].map(|c| self.blurred[stride - c]),
        );
        self.padded[..self.margin]
            .as_chunks_mut::<3>()
            .0
            .fill(first);
        self.padded[self.margin + stride..]
            .as_chunks_mut::<3>()
            .0
            .fill(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixture::{Fixture, difference};
    use crate::testing::test;

    const FILE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/augment/blur.safetensors"
    ));

    fn check(source: &str, series: &str) {
        let fixture = Fixture::images(FILE);
        for (numbers, expected) in fixture.series(series) {
            let mut ours = fixture.get(source);
            gaussian_blur(&mut ours, numbers[0] as f32);
            assert_eq!(
                difference(&format!("{series} {numbers:?}"), &ours, &expected),
                (0.0, 0)
            );
        }
    }

    #[test]
    fn matches_pil_exactly() {
        check("source", "blur");
    }

    #[test]
    fn matches_pil_where_the_box_is_larger_than_the_image() {
        check("tiny", "tiny-blur");
    }

    #[test]
    fn takes_any_radius() {
        let source = RgbImage::from_fn(3, 1, |x, _| [x as u8 * 100; 3]);
        for radius in [0.0, -1.0, f32::NAN] {
            let mut image = source.clone();
            gaussian_blur(&mut image, radius);
            assert_eq!(image, source);
        }
        for radius in [1e-20, 300.0, f32::INFINITY] {
            let mut image = RgbImage::from_fn(1, 4, |_, _| [50, 60, 70]);
            gaussian_blur(&mut image, radius);
            assert!(
                image
                    .pixels()
                    .iter()
                    .zip([50u8, 60, 70].iter().cycle())
                    .all(|(a, b)| a.abs_diff(*b) <= 3)
            );
        }
    }
}
