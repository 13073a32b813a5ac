//! From one stage to the next: a quarter of the tokens, twice as wide.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::per_grid::PerGrid;
use crate::kernels::{self, Rearrangement};
use crate::model::init;
use crate::model::precision::{ComputePrecision, linear, widen};
use crate::rng::Rng;

/// Squares of 2 x 2 tokens, one behind another, normed and projected to twice the width.
#[derive(Module, Debug)]
pub(super) struct PatchMerging {
    reduction: Linear,
    norm: LayerNorm,
    #[module(skip)]
    squares: PerGrid<Rearrangement>,
}

impl PatchMerging {
    /// Tokens of width `dim` become tokens of width `2 * dim`.
    pub fn new(dim: usize, device: &Device, rng: &mut Rng) -> Self {
        let mut reduction = LinearConfig::new(4 * dim, 2 * dim)
            .with_bias(false)
            .init(device);
        reduction.weight = init::normal([4 * dim, 2 * dim], device, rng);
        Self {
            reduction,
            norm: init::layer_norm(4 * dim, device),
            squares: PerGrid::new(),
        }
    }

    /// `[B, N, C] -> [B, ceil(rows / 2) * ceil(columns / 2), 2 C]` on the tokens of `grid` (rows,
    /// columns), row by row. An odd grid gets a row or a column of zeros.
    pub fn forward(
        &self,
        x: Tensor<3>,
        grid: (usize, usize),
        precision: ComputePrecision,
    ) -> Tensor<3> {
        let [b, _, c] = x.dims();
        let order = self.squares.get(grid, || squares(grid));
        let squares = kernels::rearrange(x, &order);
        let count = squares.dims()[1] / 4;
        let squares = kernels::layer_norm(&self.norm, squares.reshape([b, count, 4 * c]));
        widen(linear(&self.reduction, precision.narrow(squares)))
    }
}

/// The tokens of each square of 2 x 2: upper left, lower left, upper right, lower right.
pub(super) fn squares((rows, columns): (usize, usize)) -> Rearrangement {
    let mut sources = Vec::with_capacity(rows.div_ceil(2) * columns.div_ceil(2) * 4);
    for top in (0..rows).step_by(2) {
        for left in (0..columns).step_by(2) {
            // The order of the official code, which goes down before it goes right.
            for (down, right) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (row, column) = (top + down, left + right);
                let inside = row < rows && column < columns;
                sources.push(inside.then_some(row * columns + column));
            }
        }
    }
    Rearrangement::new(sources, rows * columns)
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::testing::test;

    #[test]
    fn squares_of_an_odd_grid_end_in_zeros() {
        let device = Device::flex();
        let tokens: Vec<f32> = (1..=6).map(|token| token as f32).collect();
        let tokens = Tensor::<3>::from_data(TensorData::new(tokens, [1, 6, 1]), &device);
        let actual = kernels::rearrange(tokens, &squares((2, 3)));
        let actual: Vec<f32> = actual.try_into_vec_as().expect("floats");
        assert_eq!(actual, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0, 0.0, 0.0]);
    }
}
