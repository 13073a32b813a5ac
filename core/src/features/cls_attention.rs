//! Where the CLS token looks: its attention to the patches, head by head.

use crate::grid::{Grid, GridShape, ShapeError};

/// Attention of the CLS token to the patches of one image in one block, a map for each head, on the
/// host; at least one head. It is the CLS row of the softmax without its CLS column, so a head sums
/// to at most 1.
#[derive(Clone, Debug, PartialEq)]
pub struct ClsAttention {
    shape: GridShape,
    heads: usize,
    /// `[heads, rows * columns]`.
    values: Vec<f32>,
}

impl ClsAttention {
    /// Attention of `heads` heads to `rows * columns` patches, head by head, row by row.
    ///
    /// # Errors
    /// If a dimension is zero or the values are of another number.
    pub fn new(
        heads: usize,
        rows: usize,
        columns: usize,
        values: Vec<f32>,
    ) -> Result<Self, ShapeError> {
        let shape = GridShape { rows, columns };
        shape.check(heads, values.len())?;
        Ok(Self {
            shape,
            heads,
            values,
        })
    }

    /// Number of heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Rows and columns of patches.
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

    /// The maps of the heads in order, one value a patch.
    pub fn maps(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.shape.count())
    }

    /// The mean over heads.
    pub fn mean(&self) -> Grid<f32> {
        Grid::from_fn(self.shape.rows, self.shape.columns, |patch| {
            let mut sum = 0.0;
            for map in self.maps() {
                sum += map[patch];
            }
            sum / self.heads as f32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn the_mean_is_over_heads() {
        let attention = ClsAttention::new(2, 1, 3, vec![0.1, 0.2, 0.3, 0.5, 0.2, 0.1])
            .expect("2 x 1 x 3 values");
        let expected = [0.3, 0.2, 0.2];
        assert!(
            attention
                .mean()
                .cells()
                .iter()
                .zip(expected)
                .all(|(mean, value)| (mean - value).abs() < 1e-7)
        );
    }

    #[test]
    fn refuses_what_is_not_a_map() {
        assert!(ClsAttention::new(6, 14, 14, vec![0.0; 6 * 196]).is_ok());
        let error = ClsAttention::new(6, 14, 14, vec![0.0; 6 * 197])
            .expect_err("the CLS column is not a patch");
        assert_eq!(
            error.to_string(),
            "1182 values do not fill a grid of 14 x 14 cells with 6 values each"
        );
        assert!(ClsAttention::new(0, 14, 14, vec![]).is_err());
    }
}
