//! An 8-bit RGB image in memory: what decoders give and augmentations take.

/// An 8-bit RGB image, `height` rows of `width` pixels, three bytes a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// Why pixels do not make an image.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ImageError {
    #[error("an image of {width} x {height} pixels has no content")]
    Empty { width: usize, height: usize },
    #[error("{width} x {height} RGB pixels need {expected} bytes, the buffer holds {actual}")]
    Size {
        width: usize,
        height: usize,
        expected: usize,
        actual: usize,
    },
}

impl RgbImage {
    /// Wraps `pixels` (`height * width * 3` bytes, row-major).
    ///
    /// # Errors
    /// If a side is zero or the buffer has another length.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::Empty { width, height });
        }

        let expected = width * height * 3;
        if pixels.len() != expected {
            return Err(ImageError::Size {
                width,
                height,
                expected,
                actual: pixels.len(),
            });
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// Draws an image by asking `color` for every pixel `(x, y)`. Sides below 1 are taken as 1.
    pub fn from_fn(
        width: usize,
        height: usize,
        mut color: impl FnMut(usize, usize) -> [u8; 3],
    ) -> Self {
        let (width, height) = (width.max(1), height.max(1));

        let mut pixels = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                pixels.extend_from_slice(&color(x, y));
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes, row-major, three a pixel.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to change in place.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The color at `(x, y)`; outside the image, that of the nearest edge.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y.min(self.height - 1) * self.width + x.min(self.width - 1)) * 3;
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn refuses_what_is_not_an_image() {
        assert!(matches!(
            RgbImage::new(0, 4, vec![]),
            Err(ImageError::Empty { .. })
        ));
        assert!(matches!(
            RgbImage::new(2, 2, vec![0; 11]),
            Err(ImageError::Size {
                expected: 12,
                actual: 11,
                ..
            })
        ));
        let image = RgbImage::new(2, 1, vec![1, 2, 3, 4, 5, 6]).expect("2 x 1 pixels in 6 bytes");
        assert_eq!(image.pixel(1, 0), [4, 5, 6]);
        assert_eq!(image.pixel(9, 9), [4, 5, 6]);
    }
}
