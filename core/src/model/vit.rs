//! The vision transformer of iBOT: CLS first, then registers if there are any, then patches;
//! learned position embeddings, a mask token for the student.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Tensor, TensorData};

use super::layers::{Block, Noise};
use super::pos_embed::{self, Sampling};
use super::precision::{ComputePrecision, linear, widen};
use crate::kernels;
use crate::pretrain::masking::Mask;

/// A vision transformer (paper section 4.1, "Architecture").
#[derive(Module, Debug)]
pub struct Vit {
    pub(super) cls_token: Param<Tensor<3>>,
    /// Position embeddings of CLS and of every patch, `[1, 1 + N, D]`.
    pub(super) pos_embed: Param<Tensor<3>>,
    pub(super) reg_token: Option<Param<Tensor<3>>>,
    pub(super) masked_embed: Option<Param<Tensor<2>>>,
    pub(super) patch_embed: PatchEmbed,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: LayerNorm,
    #[module(skip)]
    pub(super) pos_sampling: Sampling,
    #[module(skip)]
    pub(super) precision: ComputePrecision,
}

impl Vit {
    /// All tokens after the final norm: images `[B, 3, H, W]` to `[B, P + N, D]`: the
    /// [`prefix`](Self::prefix) of CLS and registers, then the patches.
    ///
    /// Sides must be multiples of the patch. Patches set in `masks` (one mask an image; an empty
    /// slice masks nothing) are replaced by the mask token, if the network has one, before the
    /// position embedding is added.
    pub fn forward(&self, images: Tensor<4>, masks: &[Mask], noise: &mut Noise) -> Tensor<3> {
        let tokens = self.embed(images, masks);
        let tokens = self
            .blocks
            .iter()
            .fold(tokens, |tokens, block| block.forward(tokens, noise));
        self.normalize(tokens)
    }

    /// The final norm.
    pub(crate) fn normalize(&self, tokens: Tensor<3>) -> Tensor<3> {
        kernels::layer_norm(&self.norm, tokens)
    }

    /// The transformer blocks, in order.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Tokens after each of the last `n` blocks, the final norm applied to each: `[B, P + N, D]`,
    /// deepest last.
    pub fn intermediate_layers(&self, images: Tensor<4>, n: usize) -> Vec<Tensor<3>> {
        let skip = self.blocks.len().saturating_sub(n);
        let mut tokens = self.embed(images, &[]);
        let mut layers = Vec::with_capacity(n);
        for (i, block) in self.blocks.iter().enumerate() {
            tokens = block.forward(tokens, &mut None);
            if i >= skip {
                layers.push(self.normalize(tokens.clone()));
            }
        }
        layers
    }

    /// Attention probabilities of block `block` (0 is the first), `[B, heads, P + N, P + N]`;
    /// `None` if there is no such block.
    pub fn attention(&self, images: Tensor<4>, block: usize) -> Option<Tensor<4>> {
        let target = self.blocks.get(block)?;
        let tokens = self.embed(images, &[]);
        let tokens = self.blocks[..block]
            .iter()
            .fold(tokens, |tokens, block| block.forward(tokens, &mut None));
        Some(target.attention(tokens))
    }

    /// Tokens after block `block` (0 is the first) and the final norm, `[B, P + N, D]`, and how
    /// much the CLS token attends to each patch in each head of that block, `[B, heads, N]`; `None`
    /// if there is no such block. Registers and CLS itself take the rest of each head's attention.
    pub fn tokens_and_attention(
        &self,
        images: Tensor<4>,
        block: usize,
    ) -> Option<(Tensor<3>, Tensor<3>)> {
        let last = self.blocks.get(block)?;
        let tokens = self.embed(images, &[]);
        let tokens = self.blocks[..block]
            .iter()
            .fold(tokens, |tokens, block| block.forward(tokens, &mut None));
        let patches = tokens.dims()[1] - self.prefix();
        let attention = last
            .cls_attention(tokens.clone())
            .narrow(2, self.prefix(), patches);
        Some((self.normalize(last.forward(tokens, &mut None)), attention))
    }

    /// Side of a patch, in pixels.
    pub fn patch_size(&self) -> usize {
        self.patch_embed.patch_size
    }

    /// Width of a token.
    pub fn dim(&self) -> usize {
        self.cls_token.dims()[2]
    }

    /// Number of blocks.
    pub fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// Tokens before the patches: CLS and the registers.
    pub fn prefix(&self) -> usize {
        1 + self
            .reg_token
            .as_ref()
            .map_or(0, |registers| registers.dims()[1])
    }

    /// The CLS tokens `[B, D]` among tokens `[B, P + N, D]`.
    pub fn cls_of(&self, tokens: Tensor<3>) -> Tensor<2> {
        tokens.narrow(1, 0, 1).squeeze_dim(1)
    }

    /// The patch tokens `[B, N, D]` among tokens `[B, P + N, D]`.
    pub fn patches_of(&self, tokens: Tensor<3>) -> Tensor<3> {
        let (prefix, length) = (self.prefix(), tokens.dims()[1]);
        tokens.narrow(1, prefix, length - prefix)
    }

    /// Whether masked patches can be replaced: a student's can, a teacher's not.
    pub fn has_mask_token(&self) -> bool {
        self.masked_embed.is_some()
    }

    /// The same weights without a mask token: what the teacher is.
    pub fn without_mask_token(mut self) -> Self {
        self.masked_embed = None;
        self
    }

    /// The same weights, whose matrix products compute in `precision`.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
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
    pub fn train_last(self, n: usize) -> Self {
        let first = self.depth().saturating_sub(n);
        let Self { blocks, norm, .. } = self.clone();
        let learns = |(i, block): (usize, Block)| block.set_require_grad(i >= first);
        let blocks = blocks.into_iter().enumerate().map(learns).collect();
        Self {
            blocks,
            norm: norm.set_require_grad(true),
            ..self.no_grad()
        }
    }

    /// Patch embedding, mask token, CLS, positions and registers: `[B, 3, H, W] -> [B, P + N, D]`.
    pub(crate) fn embed(&self, images: Tensor<4>, masks: &[Mask]) -> Tensor<3> {
        let [b, _, height, width] = images.dims();
        let device = images.device();
        let mut patches = widen(self.patch_embed.forward(self.precision.narrow(images)));
        let [_, n, d] = patches.dims();
        if let (Some(token), false) = (&self.masked_embed, masks.is_empty()) {
            let mask: Vec<f32> = masks
                .iter()
                .flat_map(|mask| mask.cells())
                .map(|masked| f32::from(*masked))
                .collect();
            let mask = Tensor::<3>::from_data(TensorData::new(mask, [b, n, 1]), &device);
            patches = patches * (1.0 - mask.clone()) + token.val().unsqueeze::<3>() * mask;
        }
        let cls = self.cls_token.val().expand([b, 1, d]);
        let grid = (height / self.patch_size(), width / self.patch_size());
        let tokens = Tensor::cat(vec![cls, patches], 1) + self.positions(grid);
        let Some(registers) = &self.reg_token else {
            return tokens;
        };
        let count = registers.dims()[1];
        let registers = registers.val().expand([b, count, d]);
        Tensor::cat(
            vec![
                tokens.clone().narrow(1, 0, 1),
                registers,
                tokens.narrow(1, 1, n),
            ],
            1,
        )
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
}

/// Non-overlapping patches, each projected to a token. A convolution whose stride is its kernel is
/// a linear layer on flattened patches; as one it runs at the speed of a matrix product on every
/// backend.
#[derive(Module, Debug)]
pub(super) struct PatchEmbed {
    pub(super) proj: Linear,
    pub(super) patch_size: usize,
}

impl PatchEmbed {
    /// `[B, 3, H, W] -> [B, N, D]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let [b, c, height, width] = images.dims();
        let p = self.patch_size;
        let (rows, columns) = (height / p, width / p);
        let patches = images
            .reshape([b, c, rows, p, columns, p])
            .permute([0, 2, 4, 1, 3, 5]);
        linear(&self.proj, patches.reshape([b, rows * columns, c * p * p]))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::{Ffn, VitConfig, init};
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
        let vit = small().init(&Device::flex(), &mut stream(0, Purpose::Init, 0, 0));
        for (h, w) in [(32, 32), (16, 16), (48, 64), (8, 40)] {
            assert_eq!(
                vit.forward(images(2, h, w), &[], &mut None).dims(),
                [2, 1 + h * w / 64, 24]
            );
        }
    }

    #[test]
    fn intermediate_layers_end_with_the_output() {
        let vit = small().init(&Device::flex(), &mut stream(0, Purpose::Init, 0, 0));
        let layers = vit.intermediate_layers(images(2, 32, 32), 2);
        assert_eq!(layers.len(), 2);
        assert!(max_difference(&layers[1], &vit.forward(images(2, 32, 32), &[], &mut None)) == 0.0);
        assert!(max_difference(&layers[0], &layers[1]) > 1e-3);
    }

    #[test]
    fn attention_rows_are_distributions() {
        let vit = small().init(&Device::flex(), &mut stream(0, Purpose::Init, 0, 0));
        let attention = vit.attention(images(1, 32, 16), 2).expect("block 2 of 3");
        assert_eq!(attention.dims(), [1, 2, 9, 9]);
        assert!(
            max_difference(
                &attention.sum_dim(3),
                &Tensor::ones([1, 2, 9, 1], &Device::flex())
            ) < 1e-6
        );
        assert!(vit.attention(images(1, 32, 16), 3).is_none());
    }

    #[test]
    fn registers_stand_between_cls_and_patches() {
        let config = VitConfig {
            registers: 3,
            layerscale: Some(1e-5),
            ffn: Ffn::SwiGlu,
            ..small()
        };
        let vit = config.init(&Device::flex(), &mut stream(0, Purpose::Init, 0, 0));
        let tokens = vit.forward(images(2, 16, 32), &[], &mut None);
        assert_eq!((vit.prefix(), tokens.dims()), (4, [2, 4 + 8, 24]));
        assert_eq!(vit.cls_of(tokens.clone()).dims(), [2, 24]);
        let patches = vit.patches_of(tokens.clone());
        assert_eq!(
            max_difference(&patches.narrow(1, 7, 1), &tokens.narrow(1, 11, 1)),
            0.0
        );
    }

    #[test]
    fn backward_passes_end_at_the_first_block_that_learns() {
        let device = Device::flex().autodiff();
        let vit = small()
            .init(&device, &mut stream(0, Purpose::Init, 0, 0))
            .train_last(1);
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
        let vit = small().init(&Device::flex(), &mut stream(0, Purpose::Init, 0, 0));
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
            &vit.forward(image.clone(), &mask, &mut None),
            &vit.forward(painted.clone(), &mask, &mut None),
        );
        assert_eq!(hidden, 0.0);
        let seen = max_difference(
            &vit.forward(image, &[], &mut None),
            &vit.forward(painted, &[], &mut None),
        );
        assert!(seen > 1e-3);
    }

    #[test]
    fn patch_embedding_is_the_strided_convolution() {
        let vit = small().init(&Device::flex(), &mut stream(0, Purpose::Init, 0, 0));
        let image = images(1, 16, 24);
        let tokens = vit.patch_embed.forward(image.clone());
        let weight = vit
            .patch_embed
            .proj
            .weight
            .val()
            .transpose()
            .reshape([24, 3, 8, 8]);
        let bias = vit.patch_embed.proj.bias.as_ref().map(|bias| bias.val());
        let options = burn::tensor::ops::ConvOptions::new([8, 8], [0, 0], [1, 1], 1);
        let conv = burn::tensor::module::conv2d(image, weight, bias, options);
        let conv = conv.reshape([1, 24, 6]).swap_dims(1, 2);
        assert!(max_difference(&tokens, &conv) < 1e-5);
    }
}
