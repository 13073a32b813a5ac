//! Altered copies of images, as they come about when pictures are passed on.

use std::fmt;

use anyhow::{Context as _, Result};
use ibot_core::image::RgbImage;
use ibot_core::image::augment::blur::gaussian_blur;
use ibot_core::image::resize::{CropBox, cut, resize};
use ibot_core::rng::{Purpose, stream};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use rand::RngExt as _;

use crate::data::decode;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// Saved as a JPEG of this quality, 1 to 100.
    Jpeg(u8),
    /// A part at a random place, with the aspect ratio of the image, that lacks so many percent of
    /// its area.
    Crop(u32),
    /// Scaled to so many percent of its sides.
    Scale(u32),
    /// Blurred by a Gaussian whose deviation is so many percent of the shorter side.
    Blur(u32),
    /// Turned by so many degrees around its center, the corners black.
    Rotation(u32),
    /// Half of it, turned by 10 degrees, blurred, as a JPEG of quality 10.
    Strong,
}

impl Edit {
    /// A copy of `image`; `number` tells random places apart.
    ///
    /// # Errors
    /// If the image is too large for a JPEG.
    pub fn of(self, image: &RgbImage, number: usize) -> Result<RgbImage> {
        match self {
            Self::Jpeg(quality) => jpeg(image, quality),
            Self::Crop(percent) => Ok(crop(image, percent, number)),
            Self::Scale(percent) => Ok(resize(
                image,
                image.width() * percent as usize / 100,
                image.height() * percent as usize / 100,
            )),
            Self::Blur(percent) => {
                let mut copy = image.clone();
                let shorter = image.width().min(image.height()) as f32;
                gaussian_blur(&mut copy, shorter * percent as f32 / 100.0);
                Ok(copy)
            }
            Self::Rotation(degrees) => Ok(rotated(image, f64::from(degrees).to_radians())),
            Self::Strong => {
                let mut copy = image.clone();
                for edit in [
                    Self::Crop(50),
                    Self::Rotation(10),
                    Self::Blur(1),
                    Self::Jpeg(10),
                ] {
                    copy = edit.of(&copy, number)?;
                }
                Ok(copy)
            }
        }
    }
}

/// A name without spaces, such as `jpeg_50`.
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jpeg(quality) => write!(f, "jpeg_{quality}"),
            Self::Crop(percent) => write!(f, "crop_{percent}"),
            Self::Scale(percent) => write!(f, "scale_{percent}"),
            Self::Blur(percent) => write!(f, "blur_{percent}"),
            Self::Rotation(degrees) => write!(f, "rotation_{degrees}"),
            Self::Strong => f.write_str("strong"),
        }
    }
}

fn jpeg(image: &RgbImage, quality: u8) -> Result<RgbImage> {
    let mut bytes = Vec::new();
    let (width, height) = (image.width() as u32, image.height() as u32);
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(image.pixels(), width, height, ExtendedColorType::Rgb8)
        .context("a copy as JPEG")?;
    Ok(decode(&bytes)?)
}

fn crop(image: &RgbImage, percent: u32, number: usize) -> RgbImage {
    // A share of the area is the root of it along each side; the aspect ratio stays.
    let share = (1.0 - f64::from(percent) / 100.0).max(0.0).sqrt();
    let width = ((image.width() as f64 * share) as usize).max(1);
    let height = ((image.height() as f64 * share) as usize).max(1);
    // The place depends only on the edit and the image, so that every run makes the same copies.
    let rng = &mut stream(0, Purpose::Augment, u64::from(percent), number as u64);
    let crop = CropBox {
        left: rng.random_range(0..=image.width() - width),
        top: rng.random_range(0..=image.height() - height),
        width,
        height,
    };
    cut(image, crop)
}

fn rotated(image: &RgbImage, angle: f64) -> RgbImage {
    let (sin, cos) = angle.sin_cos();
    let (width, height) = (image.width() as f64, image.height() as f64);
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        // Each pixel looks back to where it comes from, so that none stays empty. Centers of
        // pixels lie at halves.
        let right = x as f64 + 0.5 - width / 2.0;
        let down = y as f64 + 0.5 - height / 2.0;
        let from_x = cos * right + sin * down + width / 2.0 - 0.5;
        let from_y = cos * down - sin * right + height / 2.0 - 0.5;
        bilinear(image, from_x, from_y)
    })
}

/// The color at a place between pixels; black outside.
fn bilinear(image: &RgbImage, x: f64, y: f64) -> [u8; 3] {
    let (left, top) = (x.floor(), y.floor());
    let mut color = [0.0; 3];
    for (px, weight_x) in [(left, 1.0 - (x - left)), (left + 1.0, x - left)] {
        for (py, weight_y) in [(top, 1.0 - (y - top)), (top + 1.0, y - top)] {
            let is_inside = (0.0..image.width() as f64).contains(&px)
                && (0.0..image.height() as f64).contains(&py);
            if !is_inside {
                continue;
            }
            let pixel = image.pixel(px as usize, py as usize);
            for (sum, value) in color.iter_mut().zip(pixel) {
                *sum += weight_x * weight_y * f64::from(value);
            }
        }
    }
    color.map(|value| value.round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> RgbImage {
        RgbImage::from_fn(40, 30, |x, y| [(x * 6) as u8, (y * 8) as u8, 90])
    }

    #[test]
    fn copies_are_altered_and_the_same_each_time() {
        for edit in [
            Edit::Jpeg(20),
            Edit::Crop(50),
            Edit::Scale(50),
            Edit::Blur(5),
            Edit::Rotation(10),
            Edit::Strong,
        ] {
            let copy = edit.of(&image(), 3).expect("a copy");
            assert_ne!(copy, image(), "{edit}");
            assert_eq!(copy, edit.of(&image(), 3).expect("a copy"), "{edit}");
        }
    }

    #[test]
    fn a_crop_keeps_the_aspect_and_lies_at_different_places() {
        let crops: Vec<RgbImage> = (0..6).map(|number| crop(&image(), 75, number)).collect();
        assert!(crops.iter().all(|c| (c.width(), c.height()) == (20, 15)));
        assert!(crops.iter().any(|c| *c != crops[0]));
        assert_eq!(crop(&image(), 0, 1), image());
        assert_eq!(crop(&image(), 100, 1).pixels().len(), 3);
    }

    #[test]
    fn a_rotation_moves_pixels_around_the_center() {
        let square = RgbImage::from_fn(5, 5, |x, y| [(10 * x + y) as u8; 3]);
        let quarter = rotated(&square, f64::to_radians(90.0));
        // The pixel at the right of the center comes to lie below it.
        assert_eq!(quarter.pixel(2, 4), square.pixel(4, 2));
        assert_eq!(quarter.pixel(2, 2), square.pixel(2, 2));
        let turned = rotated(&RgbImage::from_fn(9, 9, |_, _| [200; 3]), 0.7);
        assert_eq!((turned.pixel(0, 0), turned.pixel(4, 4)), ([0; 3], [200; 3]));
    }
}
