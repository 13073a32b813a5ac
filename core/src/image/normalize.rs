//! From bytes to the numbers that the network sees, and back for display.

use crate::image::{ImageError, RgbImage};

/// Mean of the red, green and blue channel over ImageNet, for values of 0 to 1.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of the channels over ImageNet, for values of 0 to 1.
pub const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Writes `image` as three planes (red, green, blue; row-major), scaled to 0..1 and normalized with
/// [`MEAN`] and
/// [`STD`]: torchvision's `ToTensor` and `Normalize`. `out` holds `3 * width * height` numbers; of a shorter one only
/// the planes that fit in whole are written.
pub fn normalize_into(image: &RgbImage, out: &mut [f32]) {
    let (pixels, _) = image.pixels().as_chunks::<3>();
    for (channel, plane) in out.chunks_exact_mut(pixels.len()).take(3).enumerate() {
        let table = table(channel);
        for (value, pixel) in plane.iter_mut().zip(pixels) {
            *value = table[usize::from(pixel[channel])];
        }
    }
}

/// The image that [`normalize_into`] would turn into `values` (three planes), with values that no
/// byte gives rounded and cut off.
///
/// # Errors
/// If a side is zero or there are not `3 * width * height` values.
pub fn denormalize(width: usize, height: usize, values: &[f32]) -> Result<RgbImage, ImageError> {
    let area = width * height;
    if area == 0 {
        return Err(ImageError::Empty { width, height });
    }
    let planes: Vec<&[f32]> = values.chunks_exact(area).collect();
    let [red, green, blue] = planes[..] else {
        return Err(ImageError::Size {
            width,
            height,
            expected: area * 3,
            actual: values.len(),
        });
    };
    // `as` cuts to 0..=255 and takes NaN as 0.
    let byte =
        |value: f32, channel: usize| ((value * STD[channel] + MEAN[channel]) * 255.0).round() as u8;
    let pixels = red
        .iter()
        .zip(green)
        .zip(blue)
        .flat_map(|((r, g), b)| [byte(*r, 0), byte(*g, 1), byte(*b, 2)]);
    RgbImage::new(width, height, pixels.collect())
}

/// What each byte of a channel becomes, in torchvision's order of float operations.
fn table(channel: usize) -> [f32; 256] {
    std::array::from_fn(|byte| (byte as f32 / 255.0 - MEAN[channel]) / STD[channel])
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
    }

    #[test]
    fn comes_back_exactly() {
        let image = RgbImage::from_fn(256, 2, |x, y| [x as u8, 255 - x as u8, (x * (y + 3)) as u8]);
        let mut values = vec![0.0; image.pixels().len()];
        normalize_into(&image, &mut values);
        assert_eq!(denormalize(256, 2, &values), Ok(image));
    }

    #[test]
    fn refuses_what_is_not_an_image() {
        assert!(matches!(
            denormalize(2, 2, &[0.0; 11]),
            Err(ImageError::Size {
                expected: 12,
                actual: 11,
                ..
            })
        ));
        assert!(matches!(
            denormalize(2, 2, &[0.0; 16]),
            Err(ImageError::Size { .. })
        ));
        assert!(matches!(
            denormalize(0, 2, &[]),
            Err(ImageError::Empty { .. })
        ));
        let wild = denormalize(1, 1, &[f32::NAN, 1e30, -1e30]).expect("one pixel");
        assert_eq!(wild.pixels(), [0, 255, 0]);
    }

    #[test]
    fn a_short_buffer_is_no_panic() {
        let mut out = [7.0; 5];
        normalize_into(&RgbImage::from_fn(2, 1, |_, _| [0, 0, 0]), &mut out);
        assert_eq!(out[4], 7.0);
    }
}
