//! From the bytes of an image file to RGB pixels.
//!
//! The colors are those of PIL's `convert('RGB')`, which the reference trains on: alpha is dropped,
//! not blended, and a GIF gives its first frame. Two things differ on purpose: 16-bit gray keeps
//! its high byte, where PIL saturates, and the EXIF orientation is applied.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ibot_core::image::RgbImage;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

/// The longest side of an image that is decoded, in pixels.
pub const MAX_SIDE: u32 = 16384;

/// The most memory an image's pixels may take, in bytes.
pub const MAX_BYTES: u64 = 512 << 20;

/// The formats in words, for messages.
pub(super) const FORMATS: &str = "JPEG, PNG, WebP, BMP, GIF or TIFF";

/// Why bytes do not give an image.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("the file is empty (0 bytes); restore it or remove it")]
    Empty,
    /// The content has the mark of no supported format.
    #[error("its content is not {FORMATS}; convert it or remove it")]
    Unrecognised,
    /// The content is of a rare kind of its format.
    #[error("a kind of {format} that is not supported ({problem}); convert it to PNG or remove it")]
    Unsupported {
        /// The format its first bytes announce.
        format: String,
        problem: String,
    },
    #[error(
        "{size} is beyond the limit of {MAX_SIDE} x {MAX_SIDE} pixels and {} MiB; scale it down or remove it",
        MAX_BYTES >> 20
    )]
    TooLarge { size: String },
    /// The content breaks off or contradicts its format.
    #[error("damaged {format}: {problem}; restore it or remove it")]
    Damaged {
        /// The format its first bytes announce.
        format: String,
        problem: String,
    },
}

/// Decodes a JPEG, PNG, WebP, BMP, GIF or TIFF, recognised by its content.
///
/// # Errors
/// If the content is empty, of another format, damaged, incomplete, or larger than the limits.
/// Never panics: a panic of a decoder comes back as [`DecodeError::Damaged`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let format = image::guess_format(bytes).map_err(|_| DecodeError::Unrecognised)?;
    contained(format, || decode_as(bytes, format))
}

/// Width and height that [`decode`] would give, without decoding.
///
/// # Errors
/// If the content is empty, of another format, or its header is damaged.
pub(super) fn decoded_size(bytes: &[u8]) -> Result<(usize, usize), DecodeError> {
    let format = image::guess_format(bytes).map_err(|_| DecodeError::Unrecognised)?;
    contained(format, || {
        let reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut decoder = reader
            .into_decoder()
            .map_err(|error| explain(format, error))?;
        let (width, height) = decoder.dimensions();
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);

        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        let turned = matches!(
            orientation,
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
        );
        let (width, height) = if turned {
            (height, width)
        } else {
            (width, height)
        };
        Ok((width as usize, height as usize))
    })
}

/// Turns a panic into an error.
fn contained<T>(
    format: ImageFormat,
    work: impl FnOnce() -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    // One broken file among millions must not end a run, and decoders have panicked on such before.
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(damaged(format, "the decoder gave up on it")))
}

fn decode_as(bytes: &[u8], format: ImageFormat) -> Result<RgbImage, DecodeError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader
        .into_decoder()
        .map_err(|error| explain(format, error))?;

    // The sides are checked here and not only by the decoder, whose message does not tell them.
    let (width, height) = decoder.dimensions();
    let rgb_bytes = u64::from(width) * u64::from(height) * 3;
    if width.max(height) > MAX_SIDE || rgb_bytes.max(decoder.total_bytes()) > MAX_BYTES {
        return Err(too_large(format!("{width} x {height} pixels")));
    }

    // Every block of 8 x 8 pixels takes a bit at least; the decoder would make up gray for those
    // that are not there.
    if format == ImageFormat::Jpeg
        && u64::from(width) * u64::from(height) > bytes.len() as u64 * 512
    {
        return Err(damaged(
            format,
            format!(
                "{} bytes are too few for {width} x {height} pixels",
                bytes.len()
            ),
        ));
    }

    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    decoder
        .set_limits(limits)
        .map_err(|error| explain(format, error))?;

    // A damaged EXIF block says nothing about the pixels: PIL ignores it, too.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| explain(format, error))?;
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err(damaged(format, "it breaks off before its end"));
    }
    image.apply_orientation(orientation);

    let width = image.width() as usize;
    let height = image.height() as usize;
    RgbImage::new(width, height, into_rgb(image)).map_err(|error| damaged(format, error))
}

fn explain(format: ImageFormat, error: ImageError) -> DecodeError {
    match error {
        ImageError::Unsupported(_) if !is_supported(format) => DecodeError::Unrecognised,
        ImageError::Unsupported(error) => DecodeError::Unsupported {
            format: shown(format),
            problem: error.to_string(),
        },
        ImageError::Limits(_) => too_large("its decoded size"),
        error => damaged(format, error),
    }
}

fn is_supported(format: ImageFormat) -> bool {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    matches!(format, Jpeg | Png | WebP | Bmp | Gif | Tiff)
}

fn damaged(format: ImageFormat, problem: impl ToString) -> DecodeError {
    DecodeError::Damaged {
        format: shown(format),
        problem: problem.to_string(),
    }
}

fn shown(format: ImageFormat) -> String {
    format!("{format:?}").to_uppercase()
}

fn too_large(size: impl Into<String>) -> DecodeError {
    DecodeError::TooLarge { size: size.into() }
}

fn high_byte(sample: u16) -> u8 {
    (sample >> 8) as u8
}

fn into_rgb(image: DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => {
            image.pixels().flat_map(|p| [p[0], p[1], p[2]]).collect()
        }
        DynamicImage::ImageLuma8(image) => image.pixels().flat_map(|p| [p[0]; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => image.pixels().flat_map(|p| [p[0]; 3]).collect(),
        DynamicImage::ImageLuma16(image) => {
            image.pixels().flat_map(|p| [high_byte(p[0]); 3]).collect()
        }
        DynamicImage::ImageLumaA16(image) => {
            image.pixels().flat_map(|p| [high_byte(p[0]); 3]).collect()
        }
        DynamicImage::ImageRgb16(image) => image.into_raw().into_iter().map(high_byte).collect(),
        DynamicImage::ImageRgba16(image) => image
            .pixels()
            .flat_map(|p| [p[0], p[1], p[2]].map(high_byte))
            .collect(),
        other => other.into_rgb8().into_raw(),
    }
}

/// Whether an end-of-image marker follows the first scan.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    // The decoder fills what is missing with gray and calls it a success. PIL refuses such files,
    // and a gray half must not be trained on.
    const SCAN: u8 = 0xDA;
    const END: [u8; 2] = [0xFF, 0xD9];
    let mut at = 2;

    // Headers are stepped over one by one, for an embedded thumbnail has an end marker of its own.
    while let Some(&[0xFF, marker]) = bytes.get(at..at + 2) {
        match marker {
            SCAN => return bytes[at..].windows(2).rev().any(|pair| pair == END),
            0xFF => at += 1,
            0x01 | 0xD0..=0xD7 => at += 2,
            _ => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        }
    }

    // Bytes between segments are skipped by lenient decoders; there is no telling headers from data
    // then.
    bytes.windows(2).rev().any(|pair| pair == END)
}

#[cfg(test)]
mod tests;
