//! Masks as PNG files: a number for each pixel, which stands for an object or a class.
//!
//! The number is what the file stores: the index into its palette, or the gray value as it is, not
//! scaled to 255.

use std::io::Cursor;

use ibot_core::annotation::labels::LabelMap;
use png::{BitDepth, ColorType, Decoder, Encoder, Limits, Transformations};

use super::decode::{MAX_BYTES, MAX_SIDE};

/// Labels that a palette can hold.
const PALETTE: usize = 256;

/// Why a file is no mask, or a mask cannot become a file.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    #[error("it is no PNG, or a damaged one ({0}); masks are PNG files with a palette or in gray")]
    Damaged(png::DecodingError),
    #[error(
        "it holds colors, and a mask holds a number for each pixel; store it with a palette or in gray"
    )]
    Colors,
    #[error(
        "it has {width} x {height} pixels, beyond the limit of {MAX_SIDE} x {MAX_SIDE}; scale it down with its image"
    )]
    TooLarge { width: u32, height: u32 },
    #[error("it has {width} x {height} pixels, but its image has {image_width} x {image_height}")]
    Size {
        width: usize,
        height: usize,
        image_width: usize,
        image_height: usize,
    },
    #[error("label {0} is above 255, the last that a palette holds")]
    Label(usize),
    #[error("it cannot be encoded: {0}")]
    Encode(png::EncodingError),
}

/// The labels of a PNG file with a palette, or in gray with 1, 2, 4, 8 or 16 bits.
///
/// # Errors
/// If it is no PNG, a damaged or too large one, or has colors.
pub fn decode_mask(bytes: &[u8]) -> Result<LabelMap, MaskError> {
    let limits = Limits {
        bytes: MAX_BYTES as usize,
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(MaskError::Damaged)?;

    let (width, height) = reader.info().size();
    if width.max(height) > MAX_SIDE {
        return Err(MaskError::TooLarge { width, height });
    }
    let (color, depth) = reader.output_color_type();
    if !matches!(color, ColorType::Grayscale | ColorType::Indexed) {
        return Err(MaskError::Colors);
    }

    // At most 16 bits a pixel: the limit on the sides is one on the size.
    let size = reader.output_buffer_size();
    let mut packed = vec![0; size.ok_or(MaskError::TooLarge { width, height })?];
    let frame = reader.next_frame(&mut packed).map_err(MaskError::Damaged)?;
    let mut labels = Vec::with_capacity(width as usize * height as usize);
    for row in packed.chunks_exact(frame.line_size) {
        unpack(row, depth, width as usize, &mut labels);
    }
    LabelMap::new(height as usize, width as usize, labels)
        .map_err(|_| MaskError::TooLarge { width, height })
}

/// Appends the `width` numbers that a row stores with `depth` bits each.
fn unpack(row: &[u8], depth: BitDepth, width: usize, labels: &mut Vec<usize>) {
    if depth == BitDepth::Sixteen {
        let (pairs, _) = row.as_chunks::<2>();
        labels.extend(
            pairs
                .iter()
                .map(|pair| usize::from(u16::from_be_bytes(*pair))),
        );
        return;
    }

    // The first pixel of a byte is in its highest bits.
    let bits = depth as usize;
    let per_byte = 8 / bits;
    for x in 0..width {
        let shift = 8 - bits * (x % per_byte + 1);
        let value = usize::from(row[x / per_byte]) >> shift;
        labels.push(value & ((1 << bits) - 1));
    }
}

/// A PNG file of `mask` with one byte a pixel and the palette of DAVIS and PASCAL VOC.
///
/// # Errors
/// If a label is above 255.
pub fn encode_mask(mask: &LabelMap) -> Result<Vec<u8>, MaskError> {
    let mut indices = Vec::with_capacity(mask.cells().len());
    for label in mask.cells() {
        indices.push(u8::try_from(*label).map_err(|_| MaskError::Label(*label))?);
    }

    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, mask.columns() as u32, mask.rows() as u32);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette((0..PALETTE).flat_map(mask_color).collect::<Vec<u8>>());
    let mut writer = encoder.write_header().map_err(MaskError::Encode)?;
    writer
        .write_image_data(&indices)
        .map_err(MaskError::Encode)?;
    writer.finish().map_err(MaskError::Encode)?;
    Ok(bytes)
}

/// The color that DAVIS and PASCAL VOC give to a label: black for 0.
pub fn mask_color(label: usize) -> [u8; 3] {
    // Each bit of the label sets one bit of one channel, the highest first: labels that are near
    // each other get colors that are far apart.
    let mut color = [0; 3];
    for bit in 0..8 {
        let channel = bit % 3;
        let place = 7 - bit / 3;
        color[channel] |= ((label >> bit & 1) as u8) << place;
    }
    color
}

/// Checks that `mask` is one of an image of `width` x `height` pixels.
///
/// # Errors
/// If it has another size.
pub fn check_mask_size(mask: &LabelMap, width: usize, height: usize) -> Result<(), MaskError> {
    if (mask.columns(), mask.rows()) == (width, height) {
        return Ok(());
    }
    Err(MaskError::Size {
        width: mask.columns(),
        height: mask.rows(),
        image_width: width,
        image_height: height,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::png as picture;

    fn stored(color: ColorType, depth: BitDepth, width: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let height = 2;
        let mut encoder = Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![9; 3 * 256]);
        }
        let mut writer = encoder.write_header().expect("to memory");
        writer.write_image_data(data).expect("to memory");
        writer.finish().expect("to memory");
        bytes
    }

    fn labels(color: ColorType, depth: BitDepth, width: u32, data: &[u8]) -> Vec<usize> {
        let map = decode_mask(&stored(color, depth, width, data)).expect("a mask");
        assert_eq!((map.rows(), map.columns()), (2, width as usize));
        map.cells().to_vec()
    }

    #[test]
    fn labels_are_the_numbers_that_the_file_stores() {
        use BitDepth::{Eight, Four, One, Sixteen, Two};
        use ColorType::{Grayscale, Indexed};
        let ten = labels(Grayscale, One, 10, &[0b1010_0000, 0b0100_0000, 1, 0]);
        assert_eq!(ten[..11], [1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(ten[17], 1);
        assert_eq!(
            labels(Indexed, Two, 3, &[0b0001_1000, 0b1100_0000]),
            [0, 1, 2, 3, 0, 0]
        );
        assert_eq!(
            labels(Indexed, Four, 3, &[0x1f, 0x20, 0, 0x70]),
            [1, 15, 2, 0, 0, 7]
        );
        assert_eq!(labels(Grayscale, Eight, 2, &[0, 255, 7, 1]), [0, 255, 7, 1]);
        assert_eq!(
            labels(Grayscale, Sixteen, 1, &[1, 2, 255, 255]),
            [258, 65535]
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let map = LabelMap::from_fn(7, 5, |index| index * 7 % 256);
        let bytes = encode_mask(&map).expect("labels of a palette");
        assert_eq!(decode_mask(&bytes).expect("a mask"), map);
        let shown = crate::data::decode(&bytes).expect("a picture");
        assert_eq!(shown.pixel(1, 0), mask_color(7));

        let large = LabelMap::from_fn(1, 1, |_| 256);
        let message = encode_mask(&large).expect_err("too large").to_string();
        assert!(message.contains("256"), "{message}");
    }

    #[test]
    fn colors_are_those_of_voc() {
        // From the table that VOCcode prints: aeroplane, bicycle, person, tv monitor, border.
        let known = [
            (0, [0, 0, 0]),
            (1, [128, 0, 0]),
            (2, [0, 128, 0]),
            (15, [192, 128, 128]),
            (20, [0, 64, 128]),
            (255, [224, 224, 192]),
        ];
        for (label, color) in known {
            assert_eq!(mask_color(label), color, "{label}");
        }
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        let message = |bytes: &[u8]| decode_mask(bytes).expect_err("no mask").to_string();
        assert!(message(b"no picture").contains("no PNG"));
        assert!(message(&picture(3)).contains("colors"));
        let mut half = encode_mask(&LabelMap::from_fn(64, 64, |index| index % 9)).expect("a mask");
        half.truncate(half.len() / 2);
        assert!(message(&half).contains("damaged"));

        let map = LabelMap::from_fn(4, 5, |_| 0);
        assert!(check_mask_size(&map, 5, 4).is_ok());
        let other = check_mask_size(&map, 4, 5).expect_err("another size");
        assert!(other.to_string().contains("5 x 4 pixels"), "{other}");
    }
}
