//! Many vectors of one width: the patch tokens of one or more images, checked once.

use nalgebra::DMatrix;

use crate::features::TokenGrid;

// Squares of this still add up in f32 over tens of thousands of dimensions.
const LARGEST: f32 = 1e15;

/// Vectors of equal width, borrowed; at least one, and all values finite.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    dim: usize,
    rows: Vec<&'a [f32]>,
}

/// Values that are not rows of numbers.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum RowsError {
    #[error("there are no tokens to analyse; give at least one image")]
    Empty,
    #[error("{values} values are no whole number of tokens of width {dim}")]
    Shape { dim: usize, values: usize },
    #[error(
        "image {image} has tokens of width {actual}, the first image {expected}; take all from one model"
    )]
    Width {
        image: usize,
        expected: usize,
        actual: usize,
    },
    #[error(
        "token {row} holds {value} at {column}; values must be finite and at most 1e15 in magnitude"
    )]
    Value {
        row: usize,
        column: usize,
        value: f32,
    },
}

impl<'a> Rows<'a> {
    /// Rows of width `dim` from `values`, row-major `[N, dim]`.
    ///
    /// # Errors
    /// If there is no row, the length is no multiple of `dim`, or a value is not finite or beyond
    /// 1e15.
    pub fn new(values: &'a [f32], dim: usize) -> Result<Self, RowsError> {
        if values.is_empty() {
            return Err(RowsError::Empty);
        }
        if dim == 0 || !values.len().is_multiple_of(dim) {
            return Err(RowsError::Shape {
                dim,
                values: values.len(),
            });
        }
        Self::checked(dim, values.chunks_exact(dim).collect())
    }

    /// The tokens of all `grids`, image by image.
    ///
    /// # Errors
    /// If there is no image, the widths differ, or a value is not finite or beyond 1e15.
    pub fn of_grids(grids: &'a [TokenGrid]) -> Result<Self, RowsError> {
        let expected = grids.first().ok_or(RowsError::Empty)?.dim();
        if let Some((image, grid)) = grids
            .iter()
            .enumerate()
            .find(|(_, grid)| grid.dim() != expected)
        {
            return Err(RowsError::Width {
                image,
                expected,
                actual: grid.dim(),
            });
        }
        Self::checked(expected, grids.iter().flat_map(TokenGrid::tokens).collect())
    }

    fn checked(dim: usize, rows: Vec<&'a [f32]>) -> Result<Self, RowsError> {
        for (row, values) in rows.iter().enumerate() {
            if let Some(column) = values
                .iter()
                .position(|value| value.is_nan() || value.abs() > LARGEST)
            {
                return Err(RowsError::Value {
                    row,
                    column,
                    value: values[column],
                });
            }
        }
        Ok(Self { dim, rows })
    }

    /// Number of rows; never zero.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Width of a row; never zero.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [f32]> {
        self.rows.iter().copied()
    }

    /// The rows for which `keep` is true.
    ///
    /// # Errors
    /// If none is kept.
    pub fn select(&self, keep: &[bool]) -> Result<Self, RowsError> {
        let rows: Vec<_> = self
            .iter()
            .zip(keep)
            .filter(|(_, keep)| **keep)
            .map(|(row, _)| row)
            .collect();
        if rows.is_empty() {
            Err(RowsError::Empty)
        } else {
            Ok(Self {
                dim: self.dim,
                rows,
            })
        }
    }

    pub(super) fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.dim];
        for row in self.iter() {
            mean.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let count = self.count() as f64;
        mean.iter_mut().for_each(|sum| *sum /= count);
        mean
    }

    /// Rows `from` to at most `from + count` as the columns of a matrix, less `mean`.
    pub(super) fn centered(&self, from: usize, count: usize, mean: &[f64]) -> DMatrix<f32> {
        let rows = &self.rows[from..self.count().min(from + count)];
        // In f64, because f32 loses the differences of values far from zero.
        let values = rows.iter().flat_map(|row| {
            row.iter()
                .zip(mean)
                .map(|(v, m)| (f64::from(*v) - m) as f32)
        });
        DMatrix::from_iterator(self.dim, rows.len(), values)
    }

    /// As columns, `[D, N]`; a row of zeros stays.
    pub(super) fn unit(&self) -> DMatrix<f32> {
        let values = self.iter().flat_map(|row| {
            let length = row
                .iter()
                .map(|v| f64::from(*v).powi(2))
                .sum::<f64>()
                .sqrt();
            // Rows of zeros have no direction.
            let scale = if length > 0.0 { length.recip() } else { 0.0 };
            row.iter().map(move |v| (f64::from(*v) * scale) as f32)
        });
        DMatrix::from_iterator(self.dim, self.count(), values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn what_is_not_rows_of_numbers_is_named() {
        assert_eq!(Rows::new(&[], 2).err(), Some(RowsError::Empty));
        assert_eq!(Rows::of_grids(&[]).err(), Some(RowsError::Empty));
        assert_eq!(
            Rows::new(&[1.0; 5], 2).err(),
            Some(RowsError::Shape { dim: 2, values: 5 })
        );
        assert_eq!(
            Rows::new(&[1.0; 5], 0).err(),
            Some(RowsError::Shape { dim: 0, values: 5 })
        );
        for bad in [f32::NAN, f32::INFINITY, -1e16] {
            let found = Rows::new(&[0.0, 0.0, 0.0, bad], 2).err();
            assert!(
                matches!(
                    found,
                    Some(RowsError::Value {
                        row: 1,
                        column: 1,
                        ..
                    })
                ),
                "{bad}: {found:?}"
            );
        }
        let grid = |dim| TokenGrid::new(1, 1, dim, vec![0.0; dim]).expect("a grid of one token");
        let found = Rows::of_grids(&[grid(2), grid(3)]).err();
        assert_eq!(
            found,
            Some(RowsError::Width {
                image: 1,
                expected: 2,
                actual: 3
            })
        );
    }

    #[test]
    fn rows_become_columns() {
        let rows = Rows::new(&[3.0, 4.0, 0.0, 0.0, 6.0, -1.0], 2).expect("three rows");
        assert_eq!(rows.mean(), [3.0, 1.0]);
        assert_eq!(
            rows.centered(1, 9, &[3.0, 1.0]).as_slice(),
            [-3.0, -1.0, 3.0, -2.0]
        );
        assert_eq!(rows.unit().as_slice()[..4], [0.6, 0.8, 0.0, 0.0]);
        let kept = rows.select(&[false, false, true]).expect("one row is kept");
        assert_eq!(kept.iter().collect::<Vec<_>>(), [&[6.0, -1.0]]);
        assert_eq!(rows.select(&[false; 3]).err(), Some(RowsError::Empty));
    }
}
