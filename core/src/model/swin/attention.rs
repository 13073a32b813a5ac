//! Self-attention inside of windows, with a bias for each relative position of two tokens.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::kernels::{self, Regions};
use crate::model::init;
use crate::model::layers::columns;
use crate::model::precision::{like, linear, widen};
use crate::rng::Rng;

/// softmax(q kᵀ / sqrt(d) + B) v in each window, where B depends on the offset between two tokens
/// (Swin's equation 4).
#[derive(Module, Debug)]
pub(super) struct WindowAttention {
    qkv: Linear,
    proj: Linear,
    /// The bias of each offset and head, `[(2 w - 1)², heads]`.
    relative_position_bias_table: Param<Tensor<2>>,
    /// For each pair of tokens its row of the table.
    #[module(skip)]
    relative_positions: Arc<[i32]>,
    window: usize,
    heads: usize,
}

impl WindowAttention {
    pub fn new(dim: usize, heads: usize, window: usize, device: &Device, rng: &mut Rng) -> Self {
        let offsets = (2 * window - 1).pow(2);
        Self {
            qkv: init::linear(dim, 3 * dim, device, rng),
            proj: init::linear(dim, dim, device, rng),
            relative_position_bias_table: init::normal([offsets, heads], device, rng),
            relative_positions: relative_positions(window).into(),
            window,
            heads,
        }
    }

    /// `[G, N, C] -> [G, N, C]` on G windows of N tokens, with the regions that do not see each
    /// other.
    pub fn forward(&self, x: Tensor<3>, regions: Option<&Regions>) -> Tensor<3> {
        let [g, n, c] = x.dims();
        let own = c / self.heads;
        // From a part of the weight each: a part of the output would have a gradient as large as
        // all of it.
        let [q, k, v] = [0, 1, 2].map(|i| {
            columns(&self.qkv, x.clone(), i * c, c)
                .reshape([g, n, self.heads, own])
                .swap_dims(1, 2)
        });

        let scale = 1.0 / (own as f64).sqrt();
        // Shares are taken in 32 bits, as by PyTorch's autocast.
        let scores = widen(q.matmul(k.transpose()));
        let shares = kernels::window_softmax(scores, self.bias(), regions, scale);

        let mixed = like(shares, &v).matmul(v);
        linear(&self.proj, mixed.swap_dims(1, 2).reshape([g, n, c]))
    }

    /// The bias of each pair of tokens of a window, `[heads, N, N]`.
    fn bias(&self) -> Tensor<3> {
        let n = self.window * self.window;
        let table = self.relative_position_bias_table.val();

        let index = TensorData::new(self.relative_positions.to_vec(), [n * n]);
        let index = Tensor::<1, Int>::from_data(index, &table.device().inner());
        table
            .select(0, index)
            .transpose()
            .reshape([self.heads, n, n])
    }

    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Side of a window.
    pub fn window(&self) -> usize {
        self.window
    }
}

/// The row of the bias table for each pair of tokens of a window, `[N, N]`: `(yi - yj + w - 1)(2 w -
/// 1) + (xi - xj + w - 1)`.
pub(super) fn relative_positions(window: usize) -> Vec<i32> {
    let w = window as i32;
    let mut rows = Vec::with_capacity(window.pow(4));
    for (yi, xi) in (0..w).flat_map(|y| (0..w).map(move |x| (y, x))) {
        for (yj, xj) in (0..w).flat_map(|y| (0..w).map(move |x| (y, x))) {
            rows.push((yi - yj + w - 1) * (2 * w - 1) + (xi - xj + w - 1));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::swin::windows::Windows;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    #[test]
    fn offsets_of_a_window_of_two() {
        let expected = [4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4];
        assert_eq!(relative_positions(2), expected);
    }

    /// Each output is the mean of its region's values by the formula, computed pair by pair.
    #[test]
    fn attention_matches_a_loop() {
        let device = Device::flex();
        let mut rng = stream(1, Purpose::Init, 0, 0);
        let (dim, heads, side) = (6, 2, 4);
        let mut attention = WindowAttention::new(dim, heads, side, &device, &mut rng);
        let offsets = (2 * side - 1) * (2 * side - 1);
        attention.relative_position_bias_table =
            init::uniform([offsets, heads], 2.0, &device, &mut rng);
        let windows = Windows::new((8, 8), side, 2);
        let regions = windows.regions().expect("a shift");
        let n = windows.tokens();
        let x = init::uniform([2 * 4, n, dim], 4.0, &device, &mut rng).val();

        let [q, k, v] = [0, 1, 2].map(|i| {
            let part = columns(&attention.qkv, x.clone(), i * dim, dim);
            part.try_into_vec_as::<f32>().expect("floats")
        });
        let table = attention.relative_position_bias_table.val();
        let table: Vec<f32> = table.try_into_vec_as().expect("floats");
        let regions_of: Vec<u8> = regions.numbers().collect();
        let own = dim / heads;
        let mut mixed = Vec::new();
        for window in 0..8 {
            for i in 0..n {
                for channel in 0..dim {
                    let head = channel / own;
                    let (mut sum, mut total) = (0.0, 0.0);
                    for j in 0..n {
                        let region = |token: usize| regions_of[window % 4 * n + token];
                        if region(i) != region(j) {
                            continue;
                        }
                        let at = |token: usize| (window * n + token) * dim + head * own;
                        let dot: f32 = (0..own).map(|c| q[at(i) + c] * k[at(j) + c]).sum();
                        let (dy, dx) = (i / side + 3 - j / side, i % side + 3 - j % side);
                        let bias = table[(dy * 7 + dx) * heads + head];
                        let weight = (dot / (own as f32).sqrt() + bias).exp();
                        sum += weight * v[(window * n + j) * dim + channel];
                        total += weight;
                    }
                    mixed.push(sum / total);
                }
            }
        }
        let mixed = Tensor::<3>::from_data(TensorData::new(mixed, [8, n, dim]), &device);
        let expected = linear(&attention.proj, mixed);
        let actual = attention.forward(x, Some(&regions));
        let difference: f32 = (actual - expected).abs().max().into_scalar();
        assert!(difference < 1e-6, "{difference}");
    }
}
