//! Portable float maps, in which the Middlebury stereo sets keep disparities.

use crate::grid::Grid;

/// Why bytes are not a grayscale float map.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PfmError {
    #[error("this float map has three channels (`PF`): a disparity map has one (`Pf`)")]
    Color,
    #[error(
        "this is not a float map: it must start with `Pf`, width, height and scale, as in `Pf 640 480 -1`"
    )]
    Header,
    #[error(
        "a float map of {width} x {height} pixels has four bytes for each after its header, not {actual} bytes"
    )]
    Size {
        width: usize,
        height: usize,
        actual: usize,
    },
}

/// Reads a grayscale PFM file. The sign of the scale gives the byte order; its magnitude is a unit
/// of brightness and is ignored. Pixels without disparity are infinite in the Middlebury sets.
///
/// # Errors
/// If the header is damaged, the map has colors, or pixels are missing or left over.
pub fn parse_pfm(bytes: &[u8]) -> Result<Grid<f32>, PfmError> {
    let (magic, rest) = word(bytes).ok_or(PfmError::Header)?;
    match magic {
        "Pf" => {}
        "PF" => return Err(PfmError::Color),
        _ => return Err(PfmError::Header),
    }
    let (width, rest) = number::<usize>(rest).ok_or(PfmError::Header)?;
    let (height, rest) = number::<usize>(rest).ok_or(PfmError::Header)?;
    let (scale, pixels) = number::<f32>(rest).ok_or(PfmError::Header)?;
    if width == 0 || height == 0 || scale == 0.0 || !scale.is_finite() {
        return Err(PfmError::Header);
    }
    // The header comes from the file, and its product may overflow.
    let size = width.checked_mul(height).and_then(|n| n.checked_mul(4));
    if size != Some(pixels.len()) {
        return Err(PfmError::Size {
            width,
            height,
            actual: pixels.len(),
        });
    }

    let read = if scale < 0.0 {
        f32::from_le_bytes
    } else {
        f32::from_be_bytes
    };
    let (pixels, _) = pixels.as_chunks::<4>();
    // The lowest row comes first.
    let mut values = Vec::with_capacity(pixels.len());
    for row in pixels.chunks_exact(width).rev() {
        values.extend(row.iter().map(|bytes| read(*bytes)));
    }
    Grid::new(height, width, values).map_err(|_| PfmError::Header)
}

/// The first word and what follows the one white space after it.
fn word(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let bytes = &bytes[start..];
    let length = bytes.iter().position(|byte| byte.is_ascii_whitespace())?;
    Some((
        std::str::from_utf8(&bytes[..length]).ok()?,
        &bytes[length + 1..],
    ))
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (word, rest) = word(bytes)?;
    Some((word.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn file(header: &str, values: &[f32], bytes: fn(f32) -> [u8; 4]) -> Vec<u8> {
        let mut file = header.as_bytes().to_vec();
        values.iter().for_each(|value| file.extend(bytes(*value)));
        file
    }

    #[test]
    fn rows_are_stored_from_the_bottom_in_either_byte_order() {
        let values = vec![5.0, 6.0, 3.0, 4.0, 1.0, f32::INFINITY];
        let expected = Grid::new(3, 2, values).expect("six values");
        let stored = [1.0, f32::INFINITY, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(
            parse_pfm(&file("Pf\n2 3\n-0.0039\n", &stored, f32::to_le_bytes)),
            Ok(expected.clone())
        );
        assert_eq!(
            parse_pfm(&file("Pf 2 3 1.0 ", &stored, f32::to_be_bytes)),
            Ok(expected)
        );
    }

    #[test]
    fn a_first_pixel_that_looks_like_white_space_is_a_pixel() {
        let value = f32::from_le_bytes(*b"\n \n ");
        let read =
            parse_pfm(&file("Pf\n1 1\n-1\n", &[value], f32::to_le_bytes)).expect("one pixel");
        assert_eq!(read.cells(), [value]);
    }

    #[test]
    fn damaged_files_are_refused_with_the_reason() {
        assert_eq!(
            parse_pfm(&file("PF\n1 1\n-1\n", &[1.0; 3], f32::to_le_bytes)),
            Err(PfmError::Color)
        );
        assert_eq!(
            parse_pfm(&file("Pf\n2 2\n-1\n", &[1.0; 3], f32::to_le_bytes)),
            Err(PfmError::Size {
                width: 2,
                height: 2,
                actual: 12
            })
        );
        let huge = format!("Pf\n{} {}\n-1\n", usize::MAX, usize::MAX);
        assert!(matches!(
            parse_pfm(huge.as_bytes()),
            Err(PfmError::Size { actual: 0, .. })
        ));
        for header in [
            "",
            "P",
            "P5\n2 2\n255\n",
            "Pf\n2\n",
            "Pf\n2 -2\n-1\n",
            "Pf\n2 2\nx\n",
            "Pf\n0 0\n-1\n",
            "Pf\n1 1\n0\n",
        ] {
            assert_eq!(
                parse_pfm(header.as_bytes()),
                Err(PfmError::Header),
                "{header:?}"
            );
        }
        assert_eq!(parse_pfm(&[0xff, 0xfe, b'\n']), Err(PfmError::Header));
    }
}
