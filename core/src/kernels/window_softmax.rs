//! softmax(scale * x + bias + mask) over rows, and its gradients, where the bias is one for all
//! windows and the mask one for all images.

use std::sync::Arc;

use super::numeric::{exp, max, sum, vectorize};

/// What a logit of two tokens of different regions loses, so that their share is zero.
pub(super) const APART: f32 = -100.0;

#[inline(always)]
fn apart(own: u8, other: u8) -> f32 {
    if own == other { 0.0 } else { APART }
}

/// Which tokens of an image's windows lie beside each other in the image: those of the same number,
/// of the same window.
#[derive(Clone, Debug)]
pub struct Regions {
    /// `[W, N]`.
    numbers: Arc<[u8]>,
    tokens: usize,
}

impl Regions {
    /// Regions of the tokens of W windows of `tokens` tokens each, `[W, N]`.
    pub fn new(numbers: Vec<u8>, tokens: usize) -> Self {
        Self {
            numbers: numbers.into(),
            tokens,
        }
    }

    /// Windows of an image.
    pub fn windows(&self) -> usize {
        self.numbers.len() / self.tokens
    }

    /// What is added to the logit of each pair of tokens of a window, `[W, N, N]`.
    pub fn mask(&self) -> Vec<f32> {
        let mut mask = Vec::with_capacity(self.numbers.len() * self.tokens);
        for window in self.numbers.chunks_exact(self.tokens) {
            for own in window {
                mask.extend(window.iter().map(|other| apart(*own, *other)));
            }
        }
        mask
    }

    /// All regions, window by window.
    pub fn numbers(&self) -> impl Iterator<Item = u8> {
        self.numbers.iter().copied()
    }

    /// The regions of a window's tokens; `None` if they are one.
    fn of(&self, window: usize) -> Option<&[u8]> {
        // Windows come image by image, and each image has the same regions.
        let start = window % self.windows() * self.tokens;
        let own = &self.numbers[start..][..self.tokens];
        own.iter().any(|number| *number != own[0]).then_some(own)
    }
}

/// `x` `[G, heads, N, N]` in place, with `bias` `[heads, N, N]`. Windows of several regions are
/// computed region by region.
pub(super) fn forward(
    x: &mut [f32],
    bias: &[f32],
    columns: usize,
    regions: Option<&Regions>,
    scale: f32,
) {
    vectorize(
        #[inline(always)]
        || {
            for (window, x) in x.chunks_exact_mut(bias.len()).enumerate() {
                let own = regions.and_then(|regions| regions.of(window));
                let rows = x.chunks_exact_mut(columns);

                for (row, (x, bias)) in rows.zip(bias.chunks_exact(columns)).enumerate() {
                    for (x, bias) in x.iter_mut().zip(bias) {
                        *x = scale * *x + bias;
                    }
                    if let Some(own) = own {
                        let region = own[row % columns];
                        for (x, other) in x.iter_mut().zip(own) {
                            *x += apart(region, *other);
                        }
                    }

                    let largest = max(x);
                    x.iter_mut().for_each(|x| *x = exp(*x - largest));
                    let share = 1.0 / sum(columns, |i| x[i]);
                    x.iter_mut().for_each(|x| *x *= share);
                }
            }
        },
    );
}

/// The gradient of `x`, in place of that of `y`, the result; returns that of the bias, of `pairs`
/// values.
pub(super) fn backward(
    gradient: &mut [f32],
    y: &[f32],
    columns: usize,
    pairs: usize,
    scale: f32,
) -> Vec<f32> {
    let mut of_bias = vec![0.0; pairs];
    vectorize(
        #[inline(always)]
        || {
            let windows = gradient.chunks_exact_mut(pairs).zip(y.chunks_exact(pairs));
            for (gradient, y) in windows {
                let rows = gradient
                    .chunks_exact_mut(columns)
                    .zip(y.chunks_exact(columns))
                    .zip(of_bias.chunks_exact_mut(columns));

                for ((gradient, y), of_bias) in rows {
                    let mean = sum(columns, |i| gradient[i] * y[i]);
                    for i in 0..columns {
                        let of_logit = y[i] * (gradient[i] - mean);
                        of_bias[i] += of_logit;
                        gradient[i] = scale * of_logit;
                    }
                }
            }
        },
    );
    of_bias
}
