//! From bytes to the numbers that the network sees.

use crate::image::RgbImage;

/// Mean of the red, green and blue channel over ImageNet, for values of 0 to 1.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of the channels over ImageNet, for values of 0 to 1.
pub const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Writes `image` as three planes (red, green, blue; row-major), scaled to 0..1 and normalized with
/// [`MEAN`] and [`STD`]: torchvision's `ToTensor` and `Normalize`. `out` holds `3 * width * height`
/// numbers; of a shorter one only the planes that fit in whole are written.
pub fn normalize_into(image: &RgbImage, out: &mut [f32]) {
    normalize_by(image, STD, out);
}

/// [`normalize_into`] with another standard deviation of the channels.
pub fn normalize_by(image: &RgbImage, deviation: [f32; 3], out: &mut [f32]) {
    let (pixels, _) = image.pixels().as_chunks::<3>();
    for (channel, plane) in out.chunks_exact_mut(pixels.len()).take(3).enumerate() {
        // A byte has 256 values: a table takes no arithmetic for each pixel.
        let table = table(channel, deviation[channel]);
        for (value, pixel) in plane.iter_mut().zip(pixels) {
            *value = table[usize::from(pixel[channel])];
        }
    }
}

fn table(channel: usize, deviation: f32) -> [f32; 256] {
    // torchvision's order of operations; another one rounds differently.
    std::array::from_fn(|byte| (byte as f32 / 255.0 - MEAN[channel]) / deviation)
}

/// The image that [`normalize_into`] made these planes of, each `width * height` numbers. What is
/// darker than black or brighter than white is cut off.
pub fn denormalize(planes: &[f32], width: usize, height: usize) -> RgbImage {
    let pixels = width * height;
    RgbImage::from_fn(width, height, |x, y| {
        std::array::from_fn(|channel| {
            let value = planes[channel * pixels + y * width + x];
            // A float becomes a byte by rounding towards zero, between 0 and 255.
            ((value * STD[channel] + MEAN[channel]) * 255.0).round() as u8
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixture::{Fixture, floats};
    use crate::testing::test;

    const FILE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/augment/view.safetensors"
    ));

    #[test]
    fn matches_torchvision_exactly() {
        let image = Fixture::images(FILE).get("small");
        let mut ours = vec![0.0; image.pixels().len()];
        normalize_into(&image, &mut ours);
        assert_eq!(ours, floats(FILE, "normalized"));
        assert_eq!(denormalize(&ours, image.width(), image.height()), image);
    }

    #[test]
    fn a_short_buffer_is_no_panic() {
        let mut out = [7.0; 5];
        normalize_into(&RgbImage::from_fn(2, 1, |_, _| [0, 0, 0]), &mut out);
        assert_eq!(out[4], 7.0);
    }
}
