//! Images at another size.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{InnerPixel, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::image::RgbImage;

/// What is seen between pixels, or between patches, that are drawn larger than they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// Each stays a box of one color.
    #[default]
    Nearest,
    /// Smooth transitions (bicubic, Catmull-Rom).
    Smooth,
}

impl Interpolation {
    fn filter(self) -> FilterType {
        // A box filter repeats pixels when it enlarges. Both filters average when they shrink.
        match self {
            Self::Nearest => FilterType::Box,
            Self::Smooth => FilterType::CatmullRom,
        }
    }
}

/// `image` at another size, its aspect ratio included. Shrunk, every pixel of it counts. Sides
/// below 1 are taken as 1.
pub fn resize(
    image: &RgbImage,
    width: usize,
    height: usize,
    interpolation: Interpolation,
) -> RgbImage {
    let size = (width.max(1), height.max(1));
    let from = (image.width(), image.height());
    if from == size {
        return image.clone();
    }

    let (pixels, _) = image.pixels().as_chunks::<3>();
    let pixels: Vec<U8x3> = pixels.iter().map(|pixel| U8x3::new(*pixel)).collect();
    let resized = resample(&pixels, from, size, interpolation);
    let resized = resized.and_then(|pixels| {
        RgbImage::new(size.0, size.1, pixels.iter().flat_map(|p| p.0).collect()).ok()
    });
    // Sides beyond 32 bits, which no memory holds, are all that the resizer refuses.
    resized.unwrap_or_else(|| RgbImage::from_fn(1, 1, |x, y| image.pixel(x, y)))
}

/// A `from.0` x `from.1` image at size `to`, or `None` if a side does not fit 32 bits or is zero.
pub(super) fn resample<P: InnerPixel + PixelTrait + Default + Copy + std::fmt::Debug>(
    pixels: &[P],
    from: (usize, usize),
    to: (usize, usize),
    interpolation: Interpolation,
) -> Option<Vec<P>> {
    let side = |length: usize| u32::try_from(length).ok();
    let source = TypedImageRef::new(side(from.0)?, side(from.1)?, pixels).ok()?;
    let mut target = TypedImage::<P>::new(side(to.0)?, side(to.1)?);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(interpolation.filter()));
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .ok()?;
    Some(target.pixels().to_vec())
}

/// The image without its colors (luma of Rec. 601), so that the colors laid on it are the only
/// ones.
pub fn gray(image: &RgbImage) -> RgbImage {
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        // In whole numbers, rounded: 500 is half of the sum of the weights.
        let [r, g, b] = image.pixel(x, y).map(u32::from);
        [((299 * r + 587 * g + 114 * b + 500) / 1000) as u8; 3]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn image(width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| [(x * 40) as u8, (y * 40) as u8, 9])
    }

    #[test]
    fn nearest_repeats_pixels_and_averages_when_shrinking() {
        let large = resize(&image(3, 2), 12, 8, Interpolation::Nearest);
        assert_eq!(
            large,
            RgbImage::from_fn(12, 8, |x, y| [(x / 4 * 40) as u8, (y / 4 * 40) as u8, 9])
        );
        assert_eq!(
            resize(&image(4, 2), 1, 1, Interpolation::Nearest).pixels(),
            [60, 20, 9]
        );
    }

    #[test]
    fn smooth_keeps_ramps_and_constants() {
        let smooth = resize(&image(4, 4), 16, 16, Interpolation::Smooth);
        // Source pixel n lies at 4 n + 1.5; halfway between pixels 1 and 2 is 60.
        let (left, right) = (smooth.pixel(7, 8)[0], smooth.pixel(8, 8)[0]);
        assert!(left < 60 && 60 < right && left + right == 120);
        assert!(smooth.pixels().chunks(3).all(|pixel| pixel[2] == 9));
    }

    #[test]
    fn any_size_is_given() {
        for (width, height) in [(1, 1), (1, 999), (999, 1), (7, 5)] {
            for (to_width, to_height) in [(0, 0), (1, 1), (300, 1), (1, 300), (7, 5)] {
                for interpolation in [Interpolation::Nearest, Interpolation::Smooth] {
                    let out = resize(&image(width, height), to_width, to_height, interpolation);
                    assert_eq!(
                        (out.width(), out.height()),
                        (to_width.max(1), to_height.max(1))
                    );
                }
            }
        }
    }

    #[test]
    fn gray_is_luma() {
        let color = |c: [u8; 3]| gray(&RgbImage::from_fn(1, 1, |_, _| c)).pixel(0, 0)[0];
        assert_eq!(
            [
                color([255, 255, 255]),
                color([255, 0, 0]),
                color([0, 255, 0]),
                color([0, 0, 255])
            ],
            [255, 76, 150, 29]
        );
    }
}
