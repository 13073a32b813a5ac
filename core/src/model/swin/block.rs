//! The block of a Swin transformer.

use burn::module::Module;
use burn::nn::LayerNorm;
use burn::tensor::{Device, Tensor};

use super::attention::WindowAttention;
use super::config::{Place, SwinConfig};
use super::per_grid::PerGrid;
use super::windows::Windows;
use crate::kernels::{self, Rearrangement, Regions};
use crate::model::init;
use crate::model::layers::{Mlp, Noise, residual};
use crate::model::precision::{ComputePrecision, widen};
use crate::rng::Rng;

/// `x + attention(norm1(x))` inside of windows, then `x + mlp(norm2(x))`.
#[derive(Module, Debug)]
pub(super) struct WindowBlock {
    norm1: LayerNorm,
    attn: WindowAttention,
    norm2: LayerNorm,
    mlp: Mlp,
    shift: usize,
    drop_path: f64,
    #[module(skip)]
    precision: ComputePrecision,
    #[module(skip)]
    windows: PerGrid<Arranged>,
}

/// The windows of a grid.
#[derive(Clone, Debug)]
struct Arranged {
    order: Rearrangement,
    regions: Option<Regions>,
}

impl WindowBlock {
    /// The block of `config` at `place`; its branches are dropped with probability `drop_path` while
    /// training.
    pub fn new(
        config: &SwinConfig,
        place: Place,
        drop_path: f64,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let dim = config.width(place.stage);
        let heads = config.heads[place.stage];
        let window = config.window_at(place.stage);

        Self {
            norm1: init::layer_norm(dim, device),
            attn: WindowAttention::new(dim, heads, window, device, rng),
            norm2: init::layer_norm(dim, device),
            mlp: Mlp::new(dim, config.mlp_ratio * dim, false, device, rng),
            shift: config.shift_at(place),
            drop_path,
            precision: ComputePrecision::F32,
            windows: PerGrid::new(),
        }
    }

    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        Self { precision, ..self }
    }

    /// `[B, N, C] -> [B, N, C]` on the tokens of `grid` (rows, columns), row by row.
    pub fn forward(&self, x: Tensor<3>, grid: (usize, usize), noise: &mut Noise) -> Tensor<3> {
        let windows = self.windows.get(grid, || self.arrange(grid));
        let x = residual(x, |x| self.attend(x, &windows), self.drop_path, noise);

        if noise.is_none()
            // The operation computes in 32 bits only.
            && self.precision == ComputePrecision::F32
            && let Some(branch) = self.mlp.frozen(&x, &self.norm2, None)
        {
            return kernels::transform(x, branch, false);
        }
        residual(x, |x| self.transform(x), self.drop_path, noise)
    }

    fn arrange(&self, grid: (usize, usize)) -> Arranged {
        let windows = Windows::new(grid, self.attn.window(), self.shift);
        Arranged {
            order: windows.partition(),
            regions: windows.regions(),
        }
    }

    fn attend(&self, x: Tensor<3>, windows: &Arranged) -> Tensor<3> {
        let [b, _, c] = x.dims();
        let tokens = self.attn.window().pow(2);

        // Padding is added after the norm and takes part in attention, as in the official code.
        let x = kernels::rearrange(kernels::layer_norm(&self.norm1, x), &windows.order);
        let padded = x.dims()[1];
        let x = self
            .precision
            .narrow(x.reshape([-1, tokens as i32, c as i32]));

        let x = widen(self.attn.forward(x, windows.regions.as_ref()));
        kernels::rearrange(x.reshape([b, padded, c]), &windows.order.inverse())
    }

    fn transform(&self, x: Tensor<3>) -> Tensor<3> {
        let normed = kernels::layer_norm(&self.norm2, x);
        widen(self.mlp.forward(self.precision.narrow(normed)))
    }

    pub fn heads(&self) -> usize {
        self.attn.heads()
    }
}
