//! softmax(scale * x) over rows, and its gradient.

use super::numeric::{exp, max, sum, vectorize};

/// Rows of `columns` values, in place.
pub(super) fn forward(x: &mut [f32], columns: usize, scale: f32) {
    vectorize(
        #[inline(always)]
        || {
            for row in x.chunks_exact_mut(columns) {
                // Minus the largest, so that no exponential overflows.
                let largest = max(row);
                row.iter_mut()
                    .for_each(|x| *x = exp(scale * (*x - largest)));
                // One division a row; products are cheaper.
                let share = 1.0 / sum(columns, |i| row[i]);
                row.iter_mut().for_each(|x| *x *= share);
            }
        },
    );
}

/// The gradient of `x`, in place of that of `y`, the result: `scale * y * (gradient - <gradient,
/// y>)`.
pub(super) fn backward(gradient: &mut [f32], y: &[f32], columns: usize, scale: f32) {
    vectorize(
        #[inline(always)]
        || {
            let rows = gradient
                .chunks_exact_mut(columns)
                .zip(y.chunks_exact(columns));

            for (gradient, y) in rows {
                let mean = sum(columns, |i| gradient[i] * y[i]);
                gradient
                    .iter_mut()
                    .zip(y)
                    .for_each(|(gradient, y)| *gradient = scale * y * (*gradient - mean));
            }
        },
    );
}
