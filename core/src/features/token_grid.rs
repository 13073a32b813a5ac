//! The patch tokens of one image.

use crate::grid::{GridShape, ShapeError};
use crate::image::Planes;

/// A grid of vectors: the patch tokens of one image, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenGrid {
    shape: GridShape,
    dim: usize,
    values: Vec<f32>,
}

impl TokenGrid {
    /// A grid of `rows * columns` tokens of width `dim`, row by row.
    ///
    /// # Errors
    /// If a dimension is zero or the values are of another number.
    pub fn new(
        rows: usize,
        columns: usize,
        dim: usize,
        values: Vec<f32>,
    ) -> Result<Self, ShapeError> {
        let shape = GridShape { rows, columns };
        shape.check(dim, values.len())?;
        Ok(Self { shape, dim, values })
    }

    /// The numbers of each patch of `patch` x `patch` pixels, as a grid without a network: channel
    /// by channel, row by row. Pixels beyond the last whole patch are left out.
    ///
    /// # Errors
    /// If the image is smaller than a patch.
    pub fn of_pixels(image: &Planes, patch: usize) -> Result<Self, ShapeError> {
        let (height, width) = image.size();
        let patch = patch.max(1);
        let (rows, columns) = (height / patch, width / patch);
        let values = pixels_of_patches(image.values(), (height, width), patch);
        Self::new(rows, columns, 3 * patch * patch, values)
    }

    /// Rows and columns.
    pub fn shape(&self) -> GridShape {
        self.shape
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.shape.columns
    }

    /// Width of a token.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of tokens, `rows * columns`; never zero.
    pub fn count(&self) -> usize {
        self.shape.count()
    }

    /// All values, token by token.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The tokens in order, each `dim` long.
    pub fn tokens(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// Token `index` (`row * columns + column`).
    ///
    /// # Panics
    /// If there is no such token.
    pub fn token(&self, index: usize) -> &[f32] {
        &self.values[index * self.dim..][..self.dim]
    }

    /// Row and column of token `index`.
    pub fn position(&self, index: usize) -> (usize, usize) {
        self.shape.position(index)
    }

    /// The same grid without what all its tokens have in common: their mean is subtracted. Tokens
    /// after a layer norm share so much that every two of an image have a high cosine.
    pub fn centered(mut self) -> Self {
        // Sums of thousands of tokens lose digits in 32 bits.
        let count = self.count() as f64;
        let mut sums = vec![0.0; self.dim];
        for token in self.tokens() {
            for (sum, value) in sums.iter_mut().zip(token) {
                *sum += f64::from(*value);
            }
        }

        for token in self.values.chunks_exact_mut(self.dim) {
            for (value, sum) in token.iter_mut().zip(&sums) {
                *value -= (sum / count) as f32;
            }
        }
        self
    }

    /// The same grid with every token scaled to length 1 (a token of zeros stays), so that dot
    /// products are cosines.
    pub fn normalized(mut self) -> Self {
        for token in self.values.chunks_exact_mut(self.dim) {
            // A token of zeros is divided by a tiny number, not by 0.
            let norm = token.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            token.iter_mut().for_each(|v| *v /= norm);
        }
        self
    }
}

/// The pixels of each patch of `patch` x `patch` pixels of an image `[3, height, width]`, patch by
/// patch, channel by channel, row by row. Pixels beyond the last whole patch are left out.
pub fn pixels_of_patches(
    planes: &[f32],
    (height, width): (usize, usize),
    patch: usize,
) -> Vec<f32> {
    let (rows, columns) = (height / patch, width / patch);
    let mut values = Vec::with_capacity(planes.len());
    for cell in 0..rows * columns {
        let (top, left) = (cell / columns * patch, cell % columns * patch);
        for plane in planes.chunks_exact(height * width) {
            for row in top..top + patch {
                values.extend_from_slice(&plane[row * width + left..][..patch]);
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::RgbImage;
    use crate::testing::test;

    #[test]
    fn patches_of_pixels_hold_all_their_channels() {
        let image = RgbImage::from_fn(5, 4, |x, y| [x as u8, y as u8, 9]);
        let planes = Planes::of(&image);
        let grid = TokenGrid::of_pixels(&planes, 2).expect("four patches");
        assert_eq!((grid.rows(), grid.columns(), grid.dim()), (2, 2, 12));
        // The patch below on the right: pixels 2 and 3 of rows 2 and 3.
        let token = grid.token(3);
        for (channel, plane) in planes.values().chunks_exact(20).enumerate() {
            let expected = [plane[12], plane[13], plane[17], plane[18]];
            assert_eq!(token[4 * channel..][..4], expected);
        }
        assert!(TokenGrid::of_pixels(&planes, 5).is_err());
    }

    #[test]
    fn centered_tokens_have_no_mean_and_normalized_ones_length_one() {
        let grid = TokenGrid::new(1, 2, 2, vec![1.0, 5.0, 4.0, 1.0]).expect("two tokens");
        assert_eq!(grid.clone().centered().values(), [-1.5, 2.0, 1.5, -2.0]);
        assert_eq!(
            grid.centered().normalized().values(),
            [-0.6, 0.8, 0.6, -0.8]
        );
        assert_eq!(
            TokenGrid::new(1, 2, 0, vec![]),
            Err(ShapeError {
                rows: 1,
                columns: 2,
                depth: 0,
                actual: 0
            })
        );
    }
}
