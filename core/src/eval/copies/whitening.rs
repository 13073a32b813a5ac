//! Whitening: features in which no direction varies more than another.

use nalgebra::DMatrix;

/// Rows that are converted to `f64` at a time.
const BLOCK: usize = 1024;
/// The least eigenvalue, as a share of the largest.
const LEAST: f64 = 1e-5;

/// A linear map learned from features: subtract their mean, turn to the eigenvectors of their second
/// moments, and divide by the square roots of the eigenvalues.
#[derive(Clone, Debug)]
pub struct Whitening {
    mean: Vec<f64>,
    /// `[dim, dim]`, an eigenvector a row, the largest eigenvalue first.
    directions: DMatrix<f64>,
}

/// Why features cannot be whitened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum WhiteningError {
    #[error("whitening has to be learned from one image at least")]
    Empty,
    #[error("a feature that whitening is learned from is not finite")]
    NotFinite,
    #[error("all features that whitening is learned from are zero")]
    Zero,
}

impl Whitening {
    /// Learns from `rows` `[N, dim]`. The eigenvectors are those of `rows^T rows / N`, the second
    /// moments about zero, as in the official code; eigenvalues below 1e-5 of the largest count as
    /// that.
    ///
    /// # Errors
    /// If there is no row, or their values are not finite or all zero.
    pub fn learn(rows: &[f32], dim: usize) -> Result<Self, WhiteningError> {
        let count = rows.len() / dim.max(1);
        if count == 0 {
            return Err(WhiteningError::Empty);
        }
        // The iteration towards eigenvalues that are not numbers would not end.
        if rows.iter().any(|value| !value.is_finite()) {
            return Err(WhiteningError::NotFinite);
        }

        let mut mean = vec![0.0; dim];
        let mut moments = DMatrix::zeros(dim, dim);
        for block in rows.chunks(BLOCK * dim) {
            let values = block.iter().map(|value| f64::from(*value));
            let block = DMatrix::from_iterator(dim, block.len() / dim, values);
            moments.gemm(1.0 / count as f64, &block, &block.transpose(), 1.0);
            for row in block.column_iter() {
                for (sum, value) in mean.iter_mut().zip(row.iter()) {
                    *sum += value / count as f64;
                }
            }
        }

        let eigen = moments.symmetric_eigen();
        let largest = eigen.eigenvalues.max();
        if largest <= 0.0 {
            return Err(WhiteningError::Zero);
        }
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let mut directions = DMatrix::zeros(dim, dim);
        for (row, index) in order.into_iter().enumerate() {
            let scale = eigen.eigenvalues[index].max(LEAST * largest).sqrt();
            let direction = eigen.eigenvectors.column(index) / scale;
            directions.set_row(row, &direction.transpose());
        }
        Ok(Self { mean, directions })
    }

    /// Whitens `rows` `[N, dim]` in place, which are as wide as those that it was learned from.
    pub fn apply(&self, rows: &mut [f32]) {
        let dim = self.mean.len();
        for block in rows.chunks_mut(BLOCK * dim) {
            let mut centered = Vec::with_capacity(block.len());
            for row in block.chunks_exact(dim) {
                for (value, mean) in row.iter().zip(&self.mean) {
                    centered.push(f64::from(*value) - mean);
                }
            }
            let centered = DMatrix::from_vec(dim, centered.len() / dim, centered);
            let whitened = &self.directions * centered;
            for (value, whitened) in block.iter_mut().zip(whitened.iter()) {
                *value = *whitened as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::test;

    /// What scripts/make_eval_copies_fixtures.py wrote.
    const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/copies.json");

    #[derive(Deserialize)]
    struct Fixture {
        dim: usize,
        learned_from: Vec<f32>,
        rows: Vec<f32>,
        whitened: Vec<f32>,
    }

    #[test]
    fn matches_numpy_up_to_the_sign_of_directions() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("JSON");
        let whitening = Whitening::learn(&fixture.learned_from, fixture.dim).expect("features");
        let mut rows = fixture.rows.clone();
        whitening.apply(&mut rows);

        // The direction of an eigenvector is free.
        let dim = fixture.dim;
        for direction in 0..dim {
            let ours: Vec<f32> = rows.iter().skip(direction).step_by(dim).copied().collect();
            let theirs = fixture.whitened.iter().skip(direction).step_by(dim);
            let sign = ours[0].signum() * fixture.whitened[direction].signum();
            for (a, b) in ours.iter().zip(theirs) {
                assert!((a * sign - b).abs() < 2e-4 * b.abs().max(1.0), "{a} {b}");
            }
        }
    }

    #[test]
    fn fewer_rows_than_directions_are_enough() {
        let whitening = Whitening::learn(&[1.0, 2.0, 3.0], 3).expect("one feature");
        let mut rows = [1.0, 2.0, 3.0, 1.0, 0.0, 0.0];
        whitening.apply(&mut rows);
        assert!(rows.iter().all(|value| value.is_finite()));
        assert!(rows[..3].iter().all(|value| value.abs() < 1e-4), "{rows:?}");
    }

    #[test]
    fn what_cannot_be_learned_from_has_a_reason() {
        let learn = |rows: &[f32]| Whitening::learn(rows, 2).err();
        assert_eq!(learn(&[]), Some(WhiteningError::Empty));
        assert_eq!(learn(&[1.0, f32::NAN]), Some(WhiteningError::NotFinite));
        assert_eq!(learn(&[0.0, 0.0]), Some(WhiteningError::Zero));
    }
}
