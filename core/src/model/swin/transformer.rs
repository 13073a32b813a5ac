//! The Swin transformer of iBOT: no CLS token, the mean of the last tokens in its place.

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Device, Tensor};

use super::block::WindowBlock;
use super::config::{Place, SwinConfig, grid_at, place};
use super::merging::PatchMerging;
use crate::kernels;
use crate::model::features::Tokens;
use crate::model::init;
use crate::model::layers::Noise;
use crate::model::mask::{Mask, masked_cells, with_mask_token};
use crate::model::patch_embed::PatchEmbed;
use crate::model::precision::ComputePrecision;
use crate::rng::Rng;

/// A Swin transformer (paper section 4.1, "Architecture").
#[derive(Module, Debug)]
pub struct Swin {
    patch_embed: PatchEmbed,
    masked_embed: Option<Param<Tensor<2>>>,
    layers: Vec<Stage>,
    norm: LayerNorm,
    #[module(skip)]
    precision: ComputePrecision,
}

/// Blocks of one width on one grid, and what leads to the next stage.
#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<WindowBlock>,
    downsample: Option<PatchMerging>,
}

impl Swin {
    pub(in crate::model) fn new(config: &SwinConfig, device: &Device, rng: &mut Rng) -> Self {
        let depth: usize = config.depths.iter().sum();
        let stages = config.stages();
        let mut number = 0;

        let patch_embed = PatchEmbed::new(config.patch_size, config.dim, device, rng);
        let masked_embed = config
            .mask_token
            .then(|| init::zeros([1, config.dim], device));
        let mut layers = Vec::with_capacity(stages);
        for stage in 0..stages {
            let mut blocks = Vec::with_capacity(config.depths[stage]);
            for block in 0..config.depths[stage] {
                let drop_path = config.drop_path * number as f64 / (depth.max(2) - 1) as f64;
                let place = Place { stage, block };
                blocks.push(WindowBlock::new(config, place, drop_path, device, rng));
                number += 1;
            }
            let downsample =
                (stage + 1 < stages).then(|| PatchMerging::new(config.width(stage), device, rng));
            layers.push(Stage { blocks, downsample });
        }

        Self {
            patch_embed: patch_embed.with_norm(device),
            masked_embed,
            layers,
            norm: init::layer_norm(config.width(stages - 1), device),
            precision: ComputePrecision::F32,
        }
    }

    /// Patch embedding and mask token: `[B, 3, H, W] -> [B, N, C]`.
    ///
    /// All patches below a cell set in `masks` (an empty slice masks nothing) are replaced by the
    /// mask token, if the network has one, after the patches' norm.
    pub(in crate::model) fn embed(&self, images: Tensor<4>, masks: &[Mask]) -> Tensor<3> {
        let [_, _, height, width] = images.dims();
        let patches = self.patch_embed.forward(images, self.precision);

        let (Some(token), false) = (&self.masked_embed, masks.is_empty()) else {
            return patches;
        };
        let grid = self.grid_at(0, (height, width));
        let cell = 1 << (self.layers.len() - 1);
        with_mask_token(patches, token.val(), masked_cells(masks, cell, grid))
    }

    /// Runs block `block`, counted from 0 over all stages, for images of `size` (height, width). The
    /// first block of a stage begins with the merging of patches.
    pub(in crate::model) fn run_block(
        &self,
        block: usize,
        tokens: Tensor<3>,
        size: (usize, usize),
        noise: &mut Noise,
    ) -> Tensor<3> {
        let Place { stage, block } = self.place(block);
        let before = match block {
            0 => stage.checked_sub(1),
            _ => None,
        };
        let merging =
            before.and_then(|before| Some((before, self.layers[before].downsample.as_ref()?)));
        let tokens = match merging {
            Some((before, merging)) => {
                merging.forward(tokens, self.grid_at(before, size), self.precision)
            }
            None => tokens,
        };

        let grid = self.grid_at(stage, size);
        self.layers[stage].blocks[block].forward(tokens, grid, noise)
    }

    /// The tokens that block `block`, counted from 0, gave for images of `size`. As in the official
    /// code, only those of the last stage go through the final norm.
    pub(in crate::model) fn finish(
        &self,
        block: usize,
        tokens: Tensor<3>,
        size: (usize, usize),
    ) -> Tokens {
        let stage = self.place(block).stage;
        let tokens = if stage + 1 == self.layers.len() {
            kernels::layer_norm(&self.norm, tokens)
        } else {
            tokens
        };
        Tokens::with_mean(tokens, self.grid_at(stage, size))
    }

    fn place(&self, block: usize) -> Place {
        place(self.layers.iter().map(|stage| stage.blocks.len()), block)
    }

    /// Rows and columns of tokens in a stage, for images of `size` (height, width).
    fn grid_at(&self, stage: usize, size: (usize, usize)) -> (usize, usize) {
        grid_at(stage, size, self.patch_size())
    }

    /// Rows and columns of tokens in the last stage, for images of `size` (height, width).
    pub(in crate::model) fn grid(&self, size: (usize, usize)) -> (usize, usize) {
        self.grid_at(self.layers.len() - 1, size)
    }

    pub(in crate::model) fn patch_size(&self) -> usize {
        self.patch_embed.patch_size()
    }

    pub(in crate::model) fn stride(&self) -> usize {
        self.patch_size() << (self.layers.len() - 1)
    }

    /// Width of a token after block `block`, counted from 0.
    pub(in crate::model) fn block_dim(&self, block: usize) -> usize {
        self.patch_embed.dim() << self.place(block).stage
    }

    pub(in crate::model) fn depth(&self) -> usize {
        self.depths().sum()
    }

    /// Number of blocks of each stage.
    pub(super) fn depths(&self) -> impl Iterator<Item = usize> {
        self.layers.iter().map(|stage| stage.blocks.len())
    }

    /// Attention heads of the last block.
    pub(in crate::model) fn heads(&self) -> usize {
        let blocks = self.layers.iter().flat_map(|stage| &stage.blocks);
        blocks.last().map_or(0, WindowBlock::heads)
    }

    pub(in crate::model) fn has_mask_token(&self) -> bool {
        self.masked_embed.is_some()
    }

    pub(in crate::model) fn without_mask_token(mut self) -> Self {
        self.masked_embed = None;
        self
    }

    pub(in crate::model) fn with_precision(self, precision: ComputePrecision) -> Self {
        let mut layers = self.layers;
        for stage in &mut layers {
            let blocks = std::mem::take(&mut stage.blocks).into_iter();
            stage.blocks = blocks
                .map(|block| block.with_precision(precision))
                .collect();
        }
        Self {
            precision,
            layers,
            ..self
        }
    }

    /// The same weights, of which only those of the last `n` blocks, of the merging before each of
    /// them and of the final norm learn. Backward passes end where the frozen ones begin.
    pub(in crate::model) fn train_last(self, n: usize) -> Self {
        let first = self.depth().saturating_sub(n);
        let mut frozen = self.clone().no_grad();
        for number in first..self.depth() {
            let Place { stage, block } = self.place(number);
            let own = self.layers[stage].blocks[block].clone();
            frozen.layers[stage].blocks[block] = own.set_require_grad(true);

            if block == 0 && stage > 0 {
                let merging = self.layers[stage - 1].downsample.clone();
                frozen.layers[stage - 1].downsample =
                    merging.map(|merging| merging.set_require_grad(true));
            }
        }
        frozen.norm = self.norm.set_require_grad(true);
        frozen
    }
}

#[cfg(test)]
mod tests;
