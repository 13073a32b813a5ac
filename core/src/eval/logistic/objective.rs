//! The objective of a multinomial logistic regression, and its gradient.

use nalgebra::DMatrix;

use super::lbfgs::Point;

/// Rows that are converted to `f64` at a time.
const BLOCK: usize = 1024;

/// `mean of (logsumexp(W x) - (W x)_y) + lambda / 2 * |W|^2`.
pub(super) struct Objective<'a> {
    /// Row-major `[N, D]`.
    pub features: &'a [f32],
    /// The class of each row.
    pub labels: &'a [usize],
    pub dim: usize,
    pub classes: usize,
    pub lambda: f64,
}

impl Objective<'_> {
    /// Value and gradient at weights `[D, K]`.
    pub fn at(&self, weights: DMatrix<f64>) -> Point {
        let transposed = weights.transpose();
        let mut loss = 0.0;
        let mut gradient = DMatrix::zeros(self.dim, self.classes);

        let mut labels = self.labels.iter();
        for block in blocks(self.features, self.dim) {
            // `[K, rows]`, so that the logits of a row lie side by side.
            let mut residual = logits(&transposed, &block);
            for (mut logits, label) in residual.column_iter_mut().zip(&mut labels) {
                // Less the largest logit no exponential overflows.
                let largest = logits.max();
                let truth = logits[*label];
                logits.apply(|logit| *logit = (*logit - largest).exp());
                let sum = logits.sum();
                loss += sum.ln() + largest - truth;
                logits /= sum;
                logits[*label] -= 1.0;
            }
            gradient.gemm(1.0, &block, &residual.transpose(), 1.0);
        }

        let count = self.labels.len() as f64;
        gradient /= count;
        gradient += &weights * self.lambda;
        Point {
            value: loss / count + self.lambda / 2.0 * weights.norm_squared(),
            gradient,
            at: weights,
        }
    }

    /// The duality gap where the gradient is `gradient`, with the dual variables that belong to the
    /// probabilities there: `|gradient|^2 / (2 lambda)`.
    ///
    /// With the residuals `u_i = p_i - y_i` as dual variables and
    /// `V = -(sum of u_i x_i) / (n lambda)`, the gap is `lambda / 2 * |W - V|^2`, because loss and
    /// conjugate add up to `u_i . W x_i`; and the gradient is `lambda (W - V)`.
    pub fn gap(&self, gradient: &DMatrix<f64>) -> f64 {
        gradient.norm_squared() / (2.0 * self.lambda)
    }
}

/// The rows of `features`, row-major `[N, dim]`, a few at a time as the columns of a matrix.
pub(super) fn blocks(features: &[f32], dim: usize) -> impl Iterator<Item = DMatrix<f64>> {
    features.chunks(BLOCK * dim).map(move |block| {
        let values = block.iter().map(|value| f64::from(*value));
        DMatrix::from_iterator(dim, block.len() / dim, values)
    })
}

/// Logits `[K, rows]` of a block, with the transposed weights `[K, D]`.
pub(super) fn logits(transposed: &DMatrix<f64>, block: &DMatrix<f64>) -> DMatrix<f64> {
    transposed * block
}
