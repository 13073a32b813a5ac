//! Layer norm over rows, and its gradients.

use super::numeric::{sum, vectorize};

/// Mean of a row, and one over its standard deviation.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowMoments {
    mean: f32,
    rstd: f32,
}

/// `gamma * (x - mean) / sqrt(variance + epsilon) + beta` of each row, as long as `gamma`, and the
/// rows' moments.
pub(super) fn forward(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    epsilon: f32,
) -> (Vec<f32>, Vec<RowMoments>) {
    let columns = gamma.len();
    let mut y = Vec::with_capacity(x.len());
    let mut moments = Vec::with_capacity(x.len() / columns);

    vectorize(
        #[inline(always)]
        || {
            for row in x.chunks_exact(columns) {
                let mean = sum(columns, |i| row[i]) / columns as f32;
                // In a second pass: a mean of squares minus the squared mean loses digits.
                let variance = sum(columns, |i| (row[i] - mean) * (row[i] - mean)) / columns as f32;
                let rstd = 1.0 / (variance + epsilon).sqrt();
                y.extend(
                    row.iter()
                        .zip(gamma.iter().zip(beta))
                        .map(|(x, (gamma, beta))| (x - mean) * rstd * gamma + beta),
                );
                moments.push(RowMoments { mean, rstd });
            }
        },
    );
    (y, moments)
}

/// The gradients of `x`, in place of that of the result, of `gamma` and of `beta`.
pub(super) fn backward(
    gradient: &mut [f32],
    x: &[f32],
    gamma: &[f32],
    moments: &[RowMoments],
) -> [Vec<f32>; 2] {
    let columns = gamma.len();
    let mut of_gamma = vec![0.0; columns];
    let mut of_beta = vec![0.0; columns];

    vectorize(
        #[inline(always)]
        || {
            let rows = gradient
                .chunks_exact_mut(columns)
                .zip(x.chunks_exact(columns))
                .zip(moments);
            for ((gradient, x), RowMoments { mean, rstd }) in rows {
                // Slices of a known length spare the loop its bounds checks.
                let of_gamma = &mut of_gamma[..columns];
                let of_beta = &mut of_beta[..columns];
                for i in 0..columns {
                    of_gamma[i] += gradient[i] * (x[i] - mean) * rstd;
                    of_beta[i] += gradient[i];
                }

                let level = sum(columns, |i| gradient[i] * gamma[i]) / columns as f32;
                let slope = sum(columns, |i| gradient[i] * gamma[i] * (x[i] - mean)) * rstd * rstd
                    / columns as f32;
                for ((gradient, x), gamma) in gradient.iter_mut().zip(x).zip(gamma) {
                    *gradient = rstd * (*gradient * gamma - level - (x - mean) * slope);
                }
            }
        },
    );
    [of_gamma, of_beta]
}
