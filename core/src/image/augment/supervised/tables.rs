//! Operations that replace each value of a channel by another one, as Pillow's `ImageOps` and
//! `point` do.

use crate::image::RgbImage;

/// What each value of a channel becomes.
type ValueTable = [u8; 256];

/// Stretches each channel so that its values go from 0 to 255. A channel of one value stays.
pub(super) fn auto_contrast(image: &mut RgbImage) {
    let tables = histograms(image).map(|counts| stretched(&counts));
    apply(image, &tables);
}

/// Makes the histogram of each channel as even as it can be.
pub(super) fn equalize(image: &mut RgbImage) {
    let tables = histograms(image).map(|counts| equalized(&counts));
    apply(image, &tables);
}

/// Keeps the `bits` highest bits of each value, at most 8.
pub(super) fn posterize(image: &mut RgbImage, bits: u16) {
    // Newer versions of Pillow refuse to keep no bit; in the older ones the image became black.
    let mask = (0xff00u16 >> bits.min(8)) as u8;
    map_values(image, |value| value & mask);
}

/// Inverts the values from `threshold` on.
pub(super) fn solarize(image: &mut RgbImage, threshold: u16) {
    map_values(image, |value| {
        if u16::from(value) < threshold {
            value
        } else {
            !value
        }
    });
}

/// Adds `amount` to the values below 128.
pub(super) fn solarize_add(image: &mut RgbImage, amount: u16) {
    map_values(image, |value| {
        if value < 128 {
            (u16::from(value) + amount).min(255) as u8
        } else {
            value
        }
    });
}

/// Replaces each value by `become_of` it, in all channels alike.
pub(super) fn map_values(image: &mut RgbImage, become_of: impl Fn(u8) -> u8) {
    let table: ValueTable = std::array::from_fn(|value| become_of(value as u8));
    apply(image, &[table; 3]);
}

fn apply(image: &mut RgbImage, tables: &[ValueTable; 3]) {
    for pixel in image.pixels_mut().as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(tables) {
            *value = table[usize::from(*value)];
        }
    }
}

/// How often each value occurs in each channel.
fn histograms(image: &RgbImage) -> [[usize; 256]; 3] {
    let mut counts = [[0; 256]; 3];
    for pixel in image.pixels().as_chunks::<3>().0 {
        for (value, counts) in pixel.iter().zip(&mut counts) {
            counts[usize::from(*value)] += 1;
        }
    }
    counts
}

/// `ImageOps.autocontrast` of a channel.
fn stretched(counts: &[usize; 256]) -> ValueTable {
    let lowest = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let highest = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    if highest <= lowest {
        return identity();
    }

    let scale = 255.0 / (highest - lowest) as f64;
    let offset = -(lowest as f64) * scale;
    // The conversion cuts off fractions and what lies outside of a byte, as Pillow does.
    std::array::from_fn(|value| (value as f64 * scale + offset) as u8)
}

/// `ImageOps.equalize` of a channel.
fn equalized(counts: &[usize; 256]) -> ValueTable {
    let pixels: usize = counts.iter().sum();
    let highest = counts.iter().rfind(|count| **count > 0);
    let step = (pixels - highest.unwrap_or(&0)) / 255;
    // One value, or too few pixels.
    if step == 0 {
        return identity();
    }

    let mut below = step / 2;
    let mut table = identity();
    for (value, count) in table.iter_mut().zip(counts) {
        *value = (below / step).min(255) as u8;
        below += count;
    }
    table
}

fn identity() -> ValueTable {
    std::array::from_fn(|value| value as u8)
}
