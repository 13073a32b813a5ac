//! `-<target, log_softmax(scale * logits)>` of rows, and its gradient.

use super::numeric::{exp, max, sum, vectorize};

/// Of a row of logits, for the backward pass: `ln Σ exp(scale * logits)` and the target's sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    log_sum: f32,
    mass: f32,
}

/// The loss of each row of `columns` logits, and two numbers for its gradient.
pub(super) fn forward(
    logits: &[f32],
    targets: &[f32],
    columns: usize,
    scale: f32,
) -> (Vec<f32>, Vec<Row>) {
    let rows = logits.len() / columns;
    let mut losses = Vec::with_capacity(rows);
    let mut kept = Vec::with_capacity(rows);

    vectorize(
        #[inline(always)]
        || {
            for (logits, targets) in logits
                .chunks_exact(columns)
                .zip(targets.chunks_exact(columns))
            {
                // Minus the largest, so that no exponential overflows.
                let largest = max(logits);
                let log_rest = sum(columns, |i| exp(scale * (logits[i] - largest))).ln();
                // Sums of differences to the largest lose fewer digits than differences of sums.
                let inner = sum(columns, |i| targets[i] * (scale * (logits[i] - largest)));
                let mass = sum(columns, |i| targets[i]);

                losses.push(mass * log_rest - inner);
                kept.push(Row {
                    log_sum: scale * largest + log_rest,
                    mass,
                });
            }
        },
    );

    (losses, kept)
}

/// The gradient of the logits, in their place, from those of the rows' losses:
/// `scale * gradient * (mass * softmax(scale * logits) - target)`.
pub(super) fn backward(
    logits: &mut [f32],
    gradients: &[f32],
    targets: &[f32],
    rows: &[Row],
    columns: usize,
    scale: f32,
) {
    vectorize(
        #[inline(always)]
        || {
            let each = logits
                .chunks_exact_mut(columns)
                .zip(targets.chunks_exact(columns))
                .zip(gradients.iter().zip(rows));

            for ((logits, targets), (gradient, row)) in each {
                let Row { log_sum, mass } = row;
                let factor = scale * gradient;
                for (logit, target) in logits.iter_mut().zip(targets) {
                    // The softmax is computed once more: it would take the memory of the logits to
                    // keep it.
                    *logit = factor * (mass * exp(scale * *logit - log_sum) - target);
                }
            }
        },
    );
}
