//! The graph of one image's patches: how much each two belong together.

use nalgebra::{DMatrix, DVector};

use crate::analysis::rows::{Rows, RowsError};
use crate::features::TokenGrid;

/// Cosine above which TokenCut connects two patches.
pub const TAU: f32 = 0.2;
/// Most patches of a graph; its weights take 4 bytes for each pair.
pub const MAX_PATCHES: usize = 8192;
// Not 0, so that the graph hangs together.
const UNCONNECTED: f32 = 1e-5;

/// How much each two patches belong together: symmetric weights, none negative.
#[derive(Clone, Debug)]
pub struct Affinity {
    weights: DMatrix<f32>,
    /// Inverse square roots of the row sums.
    scale: DVector<f64>,
}

/// Why there is no graph.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)]
pub enum AffinityError {
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(
        "a graph of {patches} patches cannot be cut; it needs at least 2 and at most {MAX_PATCHES}"
    )]
    Patches { patches: usize },
}

impl Affinity {
    /// The graph of TokenCut: weight 1 for pairs of patches whose cosine is above `tau`, else 1e-5.
    ///
    /// TokenCut takes the keys of the last attention block as tokens, with [`TAU`].
    ///
    /// # Errors
    /// If there are fewer than 2 patches or more than [`MAX_PATCHES`], or a value is not finite.
    pub fn of_tokens(grid: &TokenGrid, tau: f32) -> Result<Self, AffinityError> {
        let patches = grid.count();
        if !(2..=MAX_PATCHES).contains(&patches) {
            return Err(AffinityError::Patches { patches });
        }
        let tokens = Rows::new(grid.values(), grid.dim())?.unit();
        let mut weights = tokens.transpose() * &tokens;
        weights.apply(|weight| *weight = if *weight > tau { 1.0 } else { UNCONNECTED });
        // Rounding of the products may differ between the two halves.
        weights.fill_upper_triangle_with_lower_triangle();
        Ok(Self::normalized(weights))
    }

    #[cfg(test)]
    pub(super) fn from_weights(patches: usize, weights: Vec<f32>) -> Self {
        Self::normalized(DMatrix::from_vec(patches, patches, weights))
    }

    /// The graph with these weights: symmetric, none negative, and some in each row.
    fn normalized(weights: DMatrix<f32>) -> Self {
        let degrees = weights
            .column_iter()
            // In f32, 1e-5 would vanish beside thousands of weights of 1.
            .map(|column| column.iter().map(|w| f64::from(*w)).sum::<f64>());
        let scale =
            DVector::from_iterator(weights.nrows(), degrees.map(|degree| degree.sqrt().recip()));
        Self { weights, scale }
    }

    /// Number of patches N.
    pub fn patches(&self) -> usize {
        self.scale.len()
    }

    /// The eigenvector of the largest eigenvalue of the normalised weights, which is 1: the roots
    /// of the degrees.
    pub(super) fn trivial(&self) -> DVector<f64> {
        self.scale.map(f64::recip).normalize()
    }

    /// The normalised weights `D^(-1/2) W D^(-1/2)` times `x`. Their largest eigenvalues are one
    /// minus the smallest generalised ones of `(D - W, D)`.
    pub(super) fn product(&self, x: &DVector<f64>) -> DVector<f64> {
        let scaled = x.component_mul(&self.scale);
        // The weights are symmetric: a column is a row, and its values lie side by side in memory.
        let columns = self.weights.as_slice().chunks_exact(self.patches());
        let sums = columns.map(|column| dot(column, scaled.as_slice()));
        DVector::from_iterator(self.patches(), sums).component_mul(&self.scale)
    }
}

fn dot(a: &[f32], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    // The compiler may not reorder a sum of floats, so one sum would be added value by value.
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();

    let mut sums = [0.0; LANES];
    for (x, y) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += f64::from(x[lane]) * y[lane];
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(x, y)| f64::from(*x) * y)
        .sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn tokens_above_the_cosine_are_connected() {
        // Cosines with the first token: 1, 0.6, 0 and, for zeros, 0; the second and third have 0.8.
        let grid = TokenGrid::new(2, 2, 2, vec![2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 0.0, 0.0])
            .expect("four tokens");
        let e = UNCONNECTED;
        for tau in [0.61, 0.79] {
            let affinity = Affinity::of_tokens(&grid, tau).expect("four patches");
            assert_eq!(
                affinity.weights.as_slice(),
                [1.0, e, e, e, e, 1.0, 1.0, e, e, 1.0, 1.0, e, e, e, e, e]
            );
        }
        let affinity = Affinity::of_tokens(&grid, 0.7).expect("four patches");
        let expected = [1.0 + 3.0 * e, 2.0 + 2.0 * e, 2.0 + 2.0 * e, 4.0 * e]
            .map(|d| 1.0 / f64::from(d).sqrt());
        assert!(
            affinity
                .scale
                .iter()
                .zip(expected)
                .all(|(a, b)| (a / b - 1.0).abs() < 1e-6)
        );
        let trivial = affinity.trivial();
        assert!(
            (affinity.product(&trivial) - trivial).norm() < 1e-12,
            "its eigenvalue is 1"
        );
    }

    #[test]
    fn products_equal_plain_sums() {
        let n = 21;
        let weight = |i: usize| ((i / n).min(i % n) + 2 * (i / n).max(i % n)) as f32;
        let weights: Vec<f32> = (0..n * n).map(weight).collect();
        let affinity = Affinity::from_weights(n, weights.clone());
        let x = DVector::from_fn(n, |i, _| (i as f64).sin());
        let found = affinity.product(&x);
        for i in 0..n {
            let terms = (0..n).map(|j| {
                f64::from(weights[i * n + j]) * affinity.scale[i] * affinity.scale[j] * x[j]
            });
            assert!((terms.sum::<f64>() - found[i]).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_no_graph_is_refused() {
        let refused = |values: Vec<f32>| {
            let grid = TokenGrid::new(1, values.len() / 2, 2, values).expect("a grid");
            Affinity::of_tokens(&grid, TAU).err()
        };
        assert_eq!(
            refused(vec![1.0, 2.0]),
            Some(AffinityError::Patches { patches: 1 })
        );
        assert_eq!(
            refused(vec![0.0; 2 * MAX_PATCHES + 2]),
            Some(AffinityError::Patches {
                patches: MAX_PATCHES + 1
            })
        );
        assert!(matches!(
            refused(vec![1.0, f32::NAN, 2.0, 2.0]),
            Some(AffinityError::Rows(_))
        ));
    }
}
