//! Position embeddings on another grid: bicubic interpolation written as a constant matrix.
//!
//! A matrix product has a gradient on every backend. The bicubic interpolation of burn 0.22 has none
//! on GPUs.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Cubic convolution coefficient of PyTorch's bicubic interpolation.
const A: f64 = -0.75;

/// Cubic convolution coefficient of PyTorch's antialiased bicubic interpolation, which is Pillow's.
const A_ANTIALIAS: f64 = -0.5;

/// How position embeddings are sampled on another grid: as in the training of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// What is added to the target side before the scale is computed. With 0.1, as in iBOT, DINO
    /// and DINOv2, PyTorch samples at `grid / (target + 0.1)`, slightly off the plain ratio.
    pub offset: f64,
    /// Whether the kernel widens with the scale, as in DINOv2's networks with registers.
    pub antialias: bool,
}

impl Sampling {
    /// Of iBOT, DINO and DINOv2 without registers.
    pub const OFFICIAL: Self = Self {
        offset: 0.1,
        antialias: false,
    };
    /// Of DINOv2 with registers.
    pub const REGISTERS: Self = Self {
        offset: 0.0,
        antialias: true,
    };
}

/// Interpolates patch position embeddings from a `from` to a `to` grid (rows, columns): `[1, h * w,
/// D]` to `[1, h' * w', D]`.
pub fn interpolate(
    patches: Tensor<3>,
    from: (usize, usize),
    to: (usize, usize),
    sampling: Sampling,
) -> Tensor<3> {
    let dim = patches.dims()[2];
    let matrix = if sampling.antialias {
        antialiased_matrix
    } else {
        bicubic_matrix
    };

    // Both axes by themselves: bicubic interpolation is their product.
    let rows = matrix(from.0, to.0, sampling.offset);
    let columns = matrix(from.1, to.1, sampling.offset);
    // Kronecker product: row (y, x) of the result mixes the source grid with rows[y] ⊗ columns[x].
    let mut matrix = Vec::with_capacity(to.0 * to.1 * from.0 * from.1);
    for row in rows.chunks_exact(from.0) {
        for column in columns.chunks_exact(from.1) {
            matrix.extend(
                row.iter()
                    .flat_map(|r| column.iter().map(move |c| (r * c) as f32)),
            );
        }
    }

    let matrix = TensorData::new(matrix, [to.0 * to.1, from.0 * from.1]);
    let matrix = Tensor::<2>::from_data(matrix, &patches.device());
    matrix
        .matmul(patches.reshape([from.0 * from.1, dim]))
        .reshape([1, to.0 * to.1, dim])
}

/// As [`interpolate`], on the host: `[rows * columns, dim]` to another grid.
pub(in crate::model) fn resample(
    patches: &[f32],
    dim: usize,
    from: (usize, usize),
    to: (usize, usize),
    sampling: Sampling,
) -> Vec<f32> {
    let patches = TensorData::new(patches.to_vec(), [1, from.0 * from.1, dim]);
    // The CPU answers at once everywhere; a browser's GPU cannot.
    let patches = Tensor::<3>::from_data(patches, &Device::flex());
    let resampled = interpolate(patches, from, to, sampling);
    resampled.into_data().iter::<f32>().collect()
}

/// The `to x from` matrix (row-major) of one-dimensional bicubic interpolation, corners not
/// aligned, edges repeated.
fn bicubic_matrix(from: usize, to: usize, offset: f64) -> Vec<f64> {
    let step = from as f64 / (to as f64 + offset);
    let mut matrix = vec![0.0; to * from];
    for (target, row) in matrix.chunks_exact_mut(from).enumerate() {
        let source = (target as f64 + 0.5) * step - 0.5;
        let first = source.floor();
        for tap in -1..=2i64 {
            let distance = (source - first - tap as f64).abs();
            // Edges are repeated: taps beyond them fall on the last place.
            let index = (first as i64 + tap).clamp(0, from as i64 - 1) as usize;
            row[index] += cubic(distance, A);
        }
    }
    matrix
}

/// As [`bicubic_matrix`], but with a kernel as wide as the step when that is above 1, cut off at
/// the edges.
fn antialiased_matrix(from: usize, to: usize, offset: f64) -> Vec<f64> {
    let step = from as f64 / (to as f64 + offset);
    let width = step.max(1.0);
    let mut matrix = vec![0.0; to * from];

    for (target, row) in matrix.chunks_exact_mut(from).enumerate() {
        let center = (target as f64 + 0.5) * step;
        for (index, weight) in row.iter_mut().enumerate() {
            let distance = ((index as f64 + 0.5 - center) / width).abs();
            *weight = if distance < 2.0 {
                cubic(distance, A_ANTIALIAS)
            } else {
                0.0
            };
        }
        // Taps beyond the edge are missing, so the weights do not sum to one by themselves.
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|weight| *weight /= sum);
    }
    matrix
}

/// Cubic convolution kernel of coefficient `a` at distance `t` in 0..=2.
fn cubic(t: f64, a: f64) -> f64 {
    if t <= 1.0 {
        ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
    } else {
        ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn same_grid_without_offset_is_the_identity() {
        let matrix = bicubic_matrix(5, 5, 0.0);
        for (i, value) in matrix.iter().enumerate() {
            let expected = if i / 5 == i % 5 { 1.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn rows_sum_to_one() {
        for (from, to, offset) in [
            (14, 6, 0.1),
            (14, 37, 0.1),
            (4, 2, 0.1),
            (1, 3, 0.0),
            (7, 7, 0.1),
        ] {
            for matrix in [bicubic_matrix, antialiased_matrix] {
                for row in matrix(from, to, offset).chunks_exact(from) {
                    assert!(
                        (row.iter().sum::<f64>() - 1.0).abs() < 1e-9,
                        "{from} to {to}"
                    );
                }
            }
        }
    }

    /// The four taps of a sample, placed by hand where PyTorch places them for a given scale factor
    /// of 6.1 / 14.
    #[test]
    fn reproduces_the_official_offset() {
        let squares: Vec<f64> = (0..14).map(|i| f64::from(i * i)).collect();
        let sample = |offset: f64, row: usize| -> f64 {
            bicubic_matrix(14, 6, offset)[row * 14..][..14]
                .iter()
                .zip(&squares)
                .map(|(w, s)| w * s)
                .sum()
        };
        let by_hand = |position: f64| -> f64 {
            let (i, t) = (position.floor(), position.fract());
            let weights = [1.0 + t, t, 1.0 - t, 2.0 - t].map(|t| cubic(t, A));
            weights
                .iter()
                .enumerate()
                .map(|(k, w)| w * (i + k as f64 - 1.0).clamp(0.0, 13.0).powi(2))
                .sum()
        };
        assert!((sample(0.1, 0) - by_hand(0.5 * 14.0 / 6.1 - 0.5)).abs() < 1e-9);
        assert!((sample(0.1, 3) - by_hand(3.5 * 14.0 / 6.1 - 0.5)).abs() < 1e-9);
        assert!((sample(0.0, 3) - by_hand(3.5 * 14.0 / 6.0 - 0.5)).abs() < 1e-9);
        assert!(
            (sample(0.1, 3) - sample(0.0, 3)).abs() > 0.5,
            "the offset moves the sample"
        );
    }
}
