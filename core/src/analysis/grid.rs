//! The patch tokens of one image.

/// A row-major grid of vectors: the patch tokens of one image, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenGrid {
    rows: usize,
    columns: usize,
    dim: usize,
    values: Vec<f32>,
}

/// Values that do not make a grid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a grid of {rows} x {columns} tokens of width {dim} cannot hold {actual} values")]
pub struct GridError {
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub columns: usize,
    /// Width of a token.
    pub dim: usize,
    /// Values given.
    pub actual: usize,
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
    ) -> Result<Self, GridError> {
        let fits = rows.checked_mul(columns).and_then(|n| n.checked_mul(dim)) == Some(values.len());
        if !fits || values.is_empty() {
            return Err(GridError {
                rows,
                columns,
                dim,
                actual: values.len(),
            });
        }
        Ok(Self {
            rows,
            columns,
            dim,
            values,
        })
    }

    /// Rows of the grid.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the grid.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Width of a token.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of tokens, `rows * columns`; never zero.
    pub fn count(&self) -> usize {
        self.rows * self.columns
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
        (index / self.columns, index % self.columns)
    }

    /// The same grid without what all its tokens have in common: their mean is subtracted. Tokens
    /// after a layer norm share so much that every two of an image have a high cosine.
    pub fn centered(mut self) -> Self {
        let count = self.count() as f64;
        let mut mean = vec![0.0; self.dim];
        for token in self.tokens() {
            mean.iter_mut()
                .zip(token)
                .for_each(|(sum, v)| *sum += f64::from(*v));
        }
        for token in self.values.chunks_exact_mut(self.dim) {
            token
                .iter_mut()
                .zip(&mean)
                .for_each(|(v, sum)| *v -= (sum / count) as f32);
        }
        self
    }

    /// The same grid with every token scaled to length 1 (a token of zeros stays), so that dot
    /// products are cosines.
    pub fn normalized(mut self) -> Self {
        for token in self.values.chunks_exact_mut(self.dim) {
            let norm = token.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            token.iter_mut().for_each(|v| *v /= norm);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

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
            Err(GridError {
                rows: 1,
                columns: 2,
                dim: 0,
                actual: 0
            })
        );
    }
}
