//! Frames as the network sees them.

use crate::image::RgbImage;

/// Size of a frame for the network, in pixels; both sides are whole patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSize {
    /// Pixels in a row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
}

impl FrameSize {
    /// The size of a frame of `(width, height)` pixels whose shorter side becomes `shorter` pixels
    /// and whose longer side is rounded down to a multiple of `unit`. Both are then rounded down to
    /// patches of `patch` pixels, at least one.
    ///
    /// A square frame is a little higher than wide, as in the official code.
    pub fn of((width, height): (usize, usize), shorter: usize, unit: usize, patch: usize) -> Self {
        let patches = |side: usize| (side / patch.max(1)).max(1) * patch.max(1);
        let (short, long) = (width.min(height).max(1), width.max(height));
        // In 128 bits the product of two lengths does not overflow.
        let scaled = shorter as u128 * long as u128 / short as u128;
        let long = scaled as usize / unit.max(1) * unit.max(1);

        let is_tall = height > width;
        Self {
            width: patches(if is_tall { shorter } else { long }),
            height: patches(if is_tall { long } else { shorter }),
        }
    }
}

/// Bits of the weights of [`bilinear`].
const BITS: u32 = 11;

/// The image at `width` x `height` pixels: OpenCV's bilinear `resize`, to the byte. It looks at four
/// pixels however much it shrinks, and its weights have 11 bits. (OpenCV averages in place of it
/// where both sides become exactly half as long.)
pub fn bilinear(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    let (width, height) = (width.max(1), height.max(1));
    let columns = pixel_pairs(image.width(), width);
    let rows = pixel_pairs(image.height(), height);
    let mut pixels = Vec::with_capacity(3 * width * height);
    for row in &rows {
        let upper = mixed_row(image, row.first, &columns);
        let lower = mixed_row(image, row.second, &columns);
        for (upper, lower) in upper.iter().zip(&lower) {
            // The order of shifts is OpenCV's; it decides how halves are rounded.
            let upper = (row.weights[0] * (upper >> 4)) >> 16;
            let lower = (row.weights[1] * (lower >> 4)) >> 16;
            pixels.push(((upper + lower + 2) >> 2).clamp(0, 255) as u8);
        }
    }
    RgbImage::new(width, height, pixels).unwrap_or_else(|_| image.clone())
}

/// A row of the image at the new width, with [`BITS`] bits behind the point.
fn mixed_row(image: &RgbImage, row: usize, columns: &[PixelPair]) -> Vec<i32> {
    let mut mixed = Vec::with_capacity(3 * columns.len());
    for column in columns {
        let left = image.pixel(column.first, row);
        let right = image.pixel(column.second, row);
        for (left, right) in left.iter().zip(&right) {
            let [first, second] = column.weights;
            mixed.push(first * i32::from(*left) + second * i32::from(*right));
        }
    }
    mixed
}

struct PixelPair {
    first: usize,
    second: usize,
    weights: [i32; 2],
}

/// Where the pixels of an axis of `wanted` pixels come from.
fn pixel_pairs(length: usize, wanted: usize) -> Vec<PixelPair> {
    let scale = length as f64 / wanted as f64;
    let mut pairs = Vec::with_capacity(wanted);
    for place in 0..wanted {
        let source = ((place as f64 + 0.5) * scale - 0.5) as f32;
        let first = source.floor();
        let weight = source - first;
        let whole = |weight: f32| (weight * (1 << BITS) as f32).round_ties_even() as i32;
        // Casts take what is negative as 0.
        pairs.push(PixelPair {
            first: (first as usize).min(length - 1),
            second: ((first + 1.0) as usize).min(length - 1),
            weights: [whole(1.0 - weight), whole(weight)],
        });
    }
    pairs
}
