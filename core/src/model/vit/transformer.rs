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
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::{Backbone, Ffn, VitConfig, init};
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, small_vit, test};

    fn small() -> VitConfig {
        VitConfig {
            image_size: 32,
            patch_size: 8,
            dim: 24,
            depth: 3,
            hidden: 96,
            ..small_vit()
        }
    }

    fn vit(config: &VitConfig) -> Vit {
        Vit::new(config, &Device::flex(), &mut stream(0, Purpose::Init, 0, 0))
    }

    fn forward(vit: &Vit, images: Tensor<4>, masks: &[Mask]) -> Tensor<3> {
        Backbone::Vit(vit.clone())
            .forward(images, masks, &mut None)
            .into_sequence()
    }

    fn images(b: usize, h: usize, w: usize) -> Tensor<4> {
        init::uniform(
            [b, 3, h, w],
            1.0,
            &Device::flex(),
            &mut stream(5, Purpose::Init, 0, 0),
        )
        .val()
    }

    #[test]
    fn takes_any_multiple_of_the_patch() {
        let vit = vit(&small());
        for (h, w) in [(32, 32), (16, 16), (48, 64), (8, 40)] {
            assert_eq!(
                forward(&vit, images(2, h, w), &[]).dims(),
                [2, 1 + h * w / 64, 24]
            );
        }
    }

    #[test]
    fn registers_stand_between_cls_and_patches() {
        let config = VitConfig {
            registers: 3,
            layerscale: Some(1e-5),
            ffn: Ffn::SwiGlu,
            ..small()
        };
        let vit = vit(&config);
        let backbone = Backbone::Vit(vit.clone());
        let tokens = backbone.forward(images(2, 16, 32), &[], &mut None);
        let sequence = tokens.clone().into_sequence();
        assert_eq!((vit.prefix(), sequence.dims()), (4, [2, 4 + 8, 24]));
        assert_eq!((tokens.cls.dims(), tokens.grid), ([2, 24], (2, 4)));
        let patches = tokens.into_patches();
        assert_eq!(
            max_difference(&patches.narrow(1, 7, 1), &sequence.narrow(1, 11, 1)),
            0.0
        );
    }

    #[test]
    fn backward_passes_end_at_the_first_block_that_learns() {
        let device = Device::flex().autodiff();
        let vit = Vit::new(&small(), &device, &mut stream(0, Purpose::Init, 0, 0)).train_last(1);
        let tokens = vit.embed(images(1, 32, 32).autodiff(), &[]);
        let tokens = vit.blocks[..2]
            .iter()
            .fold(tokens, |tokens, block| block.forward(tokens, &mut None));
        assert!(
            !tokens.is_tracked(),
            "nothing before the last block is kept for a backward pass"
        );
        assert!(vit.blocks[2].forward(tokens, &mut None).is_tracked());
    }

    #[test]
    fn masked_patches_hide_their_pixels() {
        let vit = vit(&small());
        let mut cells = vec![false; 16];
        cells[5] = true;
        let mask = [Mask::new(4, 4, cells)];
        let image = images(1, 32, 32);
        // Cell 5 is row 1, column 1 of the grid: pixels 8..16 both ways.
        let painted = image.clone().slice_assign(
            [0..1, 0..3, 8..16, 8..16],
            Tensor::ones([1, 3, 8, 8], &image.device()),
        );
        let hidden = max_difference(
            &forward(&vit, image.clone(), &mask),
            &forward(&vit, painted.clone(), &mask),
        );
        assert_eq!(hidden, 0.0);
        let seen = max_difference(&forward(&vit, image, &[]), &forward(&vit, painted, &[]));
        assert!(seen > 1e-3);
    }
}
