//! The vision transformer of iBOT: CLS first, then registers if there are any, then patches;
//! learned position embeddings, a mask token for the student.

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Device, Tensor};

use super::block::Block;
use super::config::VitConfig;
use crate::kernels;
use crate::model::features::Tokens;
use crate::model::init;
use crate::model::layers::Noise;
use crate::model::mask::{Mask, masked_cells, with_mask_token};
use crate::model::patch_embed::PatchEmbed;
use crate::model::pos_embed::{self, Sampling};
use crate::model::precision::ComputePrecision;
use crate::rng::Rng;

/// A vision transformer (paper section 4.1, "Architecture").
#[derive(Module, Debug)]
pub struct Vit {
    cls_token: Param<Tensor<3>>,
    /// Position embeddings of CLS and of every patch, `[1, 1 + N, D]`.
    pos_embed: Param<Tensor<3>>,
    reg_token: Option<Param<Tensor<3>>>,
    masked_embed: Option<Param<Tensor<2>>>,
    patch_embed: PatchEmbed,
    blocks: Vec<Block>,
    norm: LayerNorm,
    #[module(skip)]
    pos_sampling: Sampling,
    #[module(skip)]
    precision: ComputePrecision,
}

impl Vit {
    pub(in crate::model) fn new(config: &VitConfig, device: &Device, rng: &mut Rng) -> Self {
        let d = config.dim;
        let positions = config.grid() * config.grid() + 1;
        let last = config.depth.max(2) - 1;

        let cls_token = init::normal([1, 1, d], device, rng);
        let pos_embed = init::normal([1, positions, d], device, rng);
        // Registers start nearly at zero and alike, as in DINOv2; what they hold comes from
        // attention.
        let reg_token = (config.registers > 0).then(|| {
            init::normal([1, config.registers, d], device, rng).map(|tokens| tokens * 5e-5)
        });
        let masked_embed = config.mask_token.then(|| init::zeros([1, d], device));
        let patch_embed = PatchEmbed::new(config.patch_size, d, device, rng);
        let blocks = (0..config.depth)
            .map(|block| {
                let drop_path = config.drop_path * block as f64 / last as f64;
                Block::new(config, drop_path, device, rng)
            })
            .collect();

        Self {
            cls_token,
            pos_embed,
            reg_token,
            masked_embed,
            patch_embed,
            blocks,
            norm: init::layer_norm(d, device),
            pos_sampling: config.pos_sampling,
            precision: ComputePrecision::F32,
        }
    }

    /// Patch embedding, mask token, CLS, positions and registers: `[B, 3, H, W] -> [B, P + N, D]`.
    ///
    /// Patches set in `masks` (an empty slice masks nothing) are replaced by the mask token, if the
    /// network has one, before the position embedding is added.
    pub(in crate::model) fn embed(&self, images: Tensor<4>, masks: &[Mask]) -> Tensor<3> {
        let [b, _, height, width] = images.dims();
        let grid = (height / self.patch_size(), width / self.patch_size());
        let mut patches = self.patch_embed.forward(images, self.precision);
        let [_, n, d] = patches.dims();

        if let (Some(token), false) = (&self.masked_embed, masks.is_empty()) {
            patches = with_mask_token(patches, token.val(), masked_cells(masks, 1, grid));
        }

        let cls = self.cls_token.val().expand([b, 1, d]);
        let tokens = Tensor::cat(vec![cls, patches], 1) + self.positions(grid);

        let Some(registers) = &self.reg_token else {
            return tokens;
        };
        let count = registers.dims()[1];
        let registers = registers.val().expand([b, count, d]);
        let cls = tokens.clone().narrow(1, 0, 1);
        let patches = tokens.narrow(1, 1, n);
        Tensor::cat(vec![cls, registers, patches], 1)
    }

    /// Position embeddings for a grid of patches (rows, columns): `[1, 1 + N, D]`.
    fn positions(&self, grid: (usize, usize)) -> Tensor<3> {
        let positions = self.pos_embed.val();
        let patches = positions.dims()[1] - 1;
        let side = patches.isqrt();
        if grid == (side, side) {
            return positions;
        }

        let own = positions.clone().narrow(1, 1, patches);
        let own = pos_embed::interpolate(own, (side, side), grid, self.pos_sampling);
        Tensor::cat(vec![positions.narrow(1, 0, 1), own], 1)
    }

    /// Runs block `block`, counted from 0: `[B, P + N, D] -> [B, P + N, D]`.
    pub(in crate::model) fn run_block(
        &self,
        block: usize,
        tokens: Tensor<3>,
        noise: &mut Noise,
    ) -> Tensor<3> {
        self.blocks[block].forward(tokens, noise)
    }

    /// How much CLS attends to each patch in each head of block `block`, counted from 0, for the
    /// tokens `[B, P + N, D]` that enter it: `[B, heads, N]`.
    pub(in crate::model) fn cls_attention(&self, block: usize, tokens: Tensor<3>) -> Tensor<3> {
        let patches = tokens.dims()[1] - self.prefix();
        let attention = self.blocks[block].cls_attention(tokens);
        attention.narrow(2, self.prefix(), patches)
    }

    pub(in crate::model) fn finish(&self, tokens: Tensor<3>, grid: (usize, usize)) -> Tokens {
        let normed = kernels::layer_norm(&self.norm, tokens);
        Tokens::behind_cls(normed, self.prefix(), grid)
    }

    /// The patches of `tokens` `[B, P + N, D]`, as they are: `[B, N, D]`.
    pub(in crate::model) fn patches(&self, tokens: Tensor<3>) -> Tensor<3> {
        let patches = tokens.dims()[1] - self.prefix();
        tokens.narrow(1, self.prefix(), patches)
    }

    pub(in crate::model) fn patch_size(&self) -> usize {
        self.patch_embed.patch_size()
    }

    pub(in crate::model) fn dim(&self) -> usize {
        self.cls_token.dims()[2]
    }

    pub(in crate::model) fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// Attention heads of the last block; 0 without blocks.
    pub(in crate::model) fn heads(&self) -> usize {
        self.blocks.last().map_or(0, Block::heads)
    }

    /// Tokens before the patches: CLS and the registers.
    fn prefix(&self) -> usize {
        match &self.reg_token {
            Some(registers) => 1 + registers.dims()[1],
            None => 1,
        }
    }

    pub(in crate::model) fn has_mask_token(&self) -> bool {
        self.masked_embed.is_some()
    }

    pub(in crate::model) fn without_mask_token(mut self) -> Self {
        self.masked_embed = None;
        self
    }

    pub(in crate::model) fn with_precision(self, precision: ComputePrecision) -> Self {
        let blocks = self
            .blocks
            .into_iter()
            .map(|block| block.with_precision(precision))
            .collect();
        Self {
            precision,
            blocks,
            ..self
        }
    }

    /// The same weights, of which only those of the last `n` blocks and of the final norm learn.
    /// Backward passes end where the frozen ones begin.
    pub(in crate::model) fn train_last(self, n: usize) -> Self {
        let first = self.depth().saturating_sub(n);
        let mut frozen = self.clone().no_grad();
        for (i, block) in self.blocks.into_iter().enumerate().skip(first) {
            frozen.blocks[i] = block.set_require_grad(true);
        }
        frozen.norm = self.norm.set_require_grad(true);
        frozen
    }
}

#[cfg(test)]
mod tests;
