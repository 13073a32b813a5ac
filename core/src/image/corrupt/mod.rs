//! The corruptions of ImageNet-C (arXiv 1903.12261) in five severities, for RGB images of any size
//! from 32 pixels.
//!
//! They follow the library `imagecorruptions`, which made the benchmark fit images of any size, and
//! are held against it. Two things differ: random numbers are our own, and frost is drawn by the
//! program instead of cut out of photographs.

mod blur;
mod color;
mod digital;
mod draws;
mod edges;
mod filter;
mod fractal;
mod kind;
mod noise;
mod plane;
mod spatter;
mod texture;
mod weather;

pub use self::kind::{Corruption, Severity, UnknownKind};

use crate::image::RgbImage;
use crate::rng::{Purpose, Rng, stream};

/// The least side of an image that can be corrupted, in pixels: that of the widest kernels.
pub const LEAST_SIDE: usize = 32;

/// Gives an image as it is after it was a JPEG of a quality (1 to 100), or says why it cannot.
pub type JpegCodec<'a> = &'a dyn Fn(&RgbImage, u8) -> Result<RgbImage, String>;

/// Why an image cannot be corrupted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CorruptError {
    #[error(
        "an image of {width} x {height} pixels is too small to be corrupted: both sides need {LEAST_SIDE} pixels; take larger images or a larger view"
    )]
    TooSmall { width: usize, height: usize },
    #[error("the image cannot be made a JPEG: {0}")]
    Jpeg(String),
}

/// The random stream of image number `image` for a corruption: that of every image, corruption and
/// severity is its own.
pub fn corruption_stream(
    seed: u64,
    corruption: Corruption,
    severity: Severity,
    image: usize,
) -> Rng {
    let kind = (corruption as u64) << 3 | severity.number() as u64;
    stream(seed, Purpose::Corrupt, kind, image as u64)
}

/// The image corrupted, with random numbers of `rng`.
///
/// # Errors
/// If a side is below [`LEAST_SIDE`], or the JPEG codec fails.
pub fn corrupt(
    image: &RgbImage,
    corruption: Corruption,
    severity: Severity,
    rng: &mut Rng,
    jpeg: JpegCodec,
) -> Result<RgbImage, CorruptError> {
    let (width, height) = (image.width(), image.height());
    if width.min(height) < LEAST_SIDE {
        return Err(CorruptError::TooSmall { width, height });
    }

    Ok(match corruption {
        Corruption::GaussianNoise => noise::gaussian_noise(image, severity, rng),
        Corruption::ShotNoise => noise::shot_noise(image, severity, rng),
        Corruption::ImpulseNoise => noise::impulse_noise(image, severity, rng),
        Corruption::SpeckleNoise => noise::speckle_noise(image, severity, rng),
        Corruption::DefocusBlur => blur::defocus_blur(image, severity),
        Corruption::GlassBlur => blur::glass_blur(image, severity, rng),
        Corruption::MotionBlur => blur::motion_blur(image, severity, rng),
        Corruption::ZoomBlur => blur::zoom_blur(image, severity),
        Corruption::GaussianBlur => blur::gaussian_blur(image, severity),
        Corruption::Snow => weather::snow(image, severity, rng),
        Corruption::Frost => weather::frost(image, severity, rng),
        Corruption::Fog => weather::fog(image, severity, rng),
        Corruption::Brightness => weather::brightness(image, severity),
        Corruption::Spatter => spatter::spatter(image, severity, rng),
        Corruption::Contrast => digital::contrast(image, severity),
        Corruption::ElasticTransform => digital::elastic_transform(image, severity, rng),
        Corruption::Pixelate => digital::pixelate(image, severity),
        Corruption::Saturate => digital::saturate(image, severity),
        Corruption::JpegCompression => {
            let quality = digital::jpeg_quality(severity);
            jpeg(image, quality).map_err(CorruptError::Jpeg)?
        }
    })
}

#[cfg(test)]
mod tests;
