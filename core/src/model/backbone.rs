//! A backbone of any family. Nothing outside `model` asks which one it is: a family is a folder
//! beside [`vit`](super::vit) and an arm in each `match` here and in
//! `backbone_config`.

use burn::module::Module;
use burn::tensor::Tensor;

use super::features::{Features, Tokens, Want};
use super::layers::Noise;
use super::mask::Mask;
use super::precision::ComputePrecision;
use super::swin::Swin;
use super::vit::Vit;

/// Images to tokens.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a program has a handful of networks, and their weights lie elsewhere"
)]
pub enum Backbone {
    /// A vision transformer.
    Vit(Vit),
    /// A Swin transformer.
    Swin(Swin),
}

impl Backbone {
    /// The tokens after the last block and the final norm, of images `[B, 3, H, W]` whose sides are
    /// multiples of the [`stride`](Self::stride), or of the patch of a family that pads.
    ///
    /// Patches set in `masks` (one mask an image over its [`grid`](Self::grid); an empty slice masks
    /// nothing) are replaced by the mask token, if the network has one.
    pub fn forward(&self, images: Tensor<4>, masks: &[Mask], noise: &mut Noise) -> Tokens {
        self.walk(images, masks, noise, Want::default()).tokens
    }

    /// What `want` asks for, of whole images `[B, 3, H, W]`, without stochastic depth.
    pub fn features(&self, images: Tensor<4>, want: Want) -> Features {
        self.walk(images, &[], &mut None, want)
    }

    fn walk(&self, images: Tensor<4>, masks: &[Mask], noise: &mut Noise, want: Want) -> Features {
        let [_, _, height, width] = images.dims();
        let size = (height, width);
        // More blocks than there are stand for all of them.
        let blocks = want.block.unwrap_or(usize::MAX).min(self.depth());

        let mut tokens = self.embed(images, masks);
        let mut earlier = Vec::new();
        let mut attention = None;
        for block in 1..=blocks {
            if want.attention && block == blocks {
                // Before the block runs: attention is that of the tokens that enter it.
                attention = self.cls_attention(block - 1, tokens.clone());
            }
            tokens = self.run_block(block - 1, tokens, size, noise);
            if block < blocks && block + want.earlier >= blocks {
                earlier.push(self.finish(block - 1, tokens.clone(), size));
            }
        }

        let raw_patches = want.raw_patches.then(|| self.patches(tokens.clone()));
        Features {
            tokens: self.finish(blocks.saturating_sub(1), tokens, size),
            earlier,
            attention,
            raw_patches,
        }
    }

    /// What enters the first block: `[B, 3, H, W]` to a sequence of tokens, masked and with their
    /// positions.
    ///
    /// Activation checkpointing runs `embed`, each [`run_block`](Self::run_block) and
    /// [`finish`](Self::finish) one by one.
    pub(crate) fn embed(&self, images: Tensor<4>, masks: &[Mask]) -> Tensor<3> {
        match self {
            Self::Vit(vit) => vit.embed(images, masks),
            Self::Swin(swin) => swin.embed(images, masks),
        }
    }

    /// Runs one block, counted from 0, on a sequence of tokens of images of `size` (height, width) in
    /// pixels.
    pub(crate) fn run_block(
        &self,
        block: usize,
        tokens: Tensor<3>,
        size: (usize, usize),
        noise: &mut Noise,
    ) -> Tensor<3> {
        match self {
            Self::Vit(vit) => vit.run_block(block, tokens, noise),
            Self::Swin(swin) => swin.run_block(block, tokens, size, noise),
        }
    }

    /// The final norm, on the sequence that block `block`, counted from 0, gave for images of `size`
    /// (height, width) in pixels.
    pub(crate) fn finish(&self, block: usize, tokens: Tensor<3>, size: (usize, usize)) -> Tokens {
        match self {
            Self::Vit(vit) => vit.finish(tokens, self.grid(size.0, size.1)),
            Self::Swin(swin) => swin.finish(block, tokens, size),
        }
    }

    /// The patches of a sequence of tokens, without the final norm, `[B, N, D]`.
    fn patches(&self, tokens: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Vit(vit) => vit.patches(tokens),
            Self::Swin(_) => tokens,
        }
    }

    /// How much CLS attends to each patch in a block, counted from 0, for the sequence that enters
    /// it: `[B, heads, N]`. `None` where a family has no CLS that attends.
    fn cls_attention(&self, block: usize, tokens: Tensor<3>) -> Option<Tensor<3>> {
        match self {
            Self::Vit(vit) => Some(vit.cls_attention(block, tokens)),
            Self::Swin(_) => None,
        }
    }

    /// Pixels along a side of a patch of the output, which is also a cell of a mask.
    pub fn stride(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.patch_size(),
            Self::Swin(swin) => swin.stride(),
        }
    }

    /// Rows and columns of patches in the output, for images of this size in pixels.
    pub fn grid(&self, height: usize, width: usize) -> (usize, usize) {
        match self {
            Self::Vit(vit) => (height / vit.patch_size(), width / vit.patch_size()),
            Self::Swin(swin) => swin.grid((height, width)),
        }
    }

    /// Width of the CLS tokens of the last `blocks` blocks, one behind another.
    pub fn cls_width(&self, blocks: usize) -> usize {
        let depth = self.depth();
        match self {
            Self::Vit(vit) => vit.dim() * blocks.min(depth),
            Self::Swin(swin) => {
                let last = depth.saturating_sub(blocks)..depth;
                last.map(|block| swin.block_dim(block)).sum()
            }
        }
    }

    /// Where a parameter of this official name stands: 0 for what makes tokens of patches, k for the
    /// k-th block, counted from 1, and one more than there are blocks for the final norm.
    pub fn layer_of(&self, name: &str) -> usize {
        match self {
            Self::Vit(vit) => vit.layer_of(name),
            Self::Swin(swin) => swin.layer_of(name),
        }
    }

    /// Whether it has a CLS token that attends to patches.
    pub fn has_attention(&self) -> bool {
        match self {
            Self::Vit(_) => true,
            Self::Swin(_) => false,
        }
    }

    /// Width of a token of the output.
    pub fn dim(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.dim(),
            // Beyond the last block stands the last stage.
            Self::Swin(swin) => swin.block_dim(usize::MAX),
        }
    }

    /// Number of blocks.
    pub fn depth(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.depth(),
            Self::Swin(swin) => swin.depth(),
        }
    }

    /// Number of attention heads of the last block.
    pub fn heads(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.heads(),
            Self::Swin(swin) => swin.heads(),
        }
    }

    /// Whether masked patches can be replaced: a student's can, a teacher's not.
    pub fn has_mask_token(&self) -> bool {
        match self {
            Self::Vit(vit) => vit.has_mask_token(),
            Self::Swin(swin) => swin.has_mask_token(),
        }
    }

    /// The same weights without a mask token, as in a teacher.
    pub fn without_mask_token(self) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(vit.without_mask_token()),
            Self::Swin(swin) => Self::Swin(swin.without_mask_token()),
        }
    }

    /// The same weights, whose matrix products compute in `precision`.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(vit.with_precision(precision)),
            Self::Swin(swin) => Self::Swin(swin.with_precision(precision)),
        }
    }

    /// The same weights, of which only those of the last `n` blocks and of the final norm learn.
    /// Backward passes end where the frozen ones begin.
    pub fn train_last(self, n: usize) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(vit.train_last(n)),
            Self::Swin(swin) => Self::Swin(swin.train_last(n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::init;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, small_backbone, test};

    fn backbone() -> Backbone {
        let rng = &mut stream(0, Purpose::Init, 0, 0);
        small_backbone().init(&Device::flex(), rng)
    }

    fn images() -> Tensor<4> {
        let rng = &mut stream(5, Purpose::Init, 0, 0);
        init::uniform([2, 3, 16, 24], 1.0, &Device::flex(), rng).val()
    }

    #[test]
    fn earlier_blocks_and_the_last_have_the_same_norm() {
        let backbone = backbone();
        let want = Want {
            earlier: 1,
            ..Want::default()
        };
        let features = backbone.features(images(), want);
        let last = backbone.forward(images(), &[], &mut None);
        let first = Want {
            block: Some(1),
            ..Want::default()
        };
        let first = backbone.features(images(), first);

        assert_eq!(max_difference(&features.tokens.cls, &last.cls), 0.0);
        assert_eq!(features.earlier.len(), 1);
        let earlier = &features.earlier[0].cls;
        assert_eq!(max_difference(earlier, &first.tokens.cls), 0.0);
        assert!(max_difference(earlier, &last.cls) > 1e-3);
    }

    #[test]
    fn more_blocks_than_there_are_give_all() {
        let want = Want {
            block: Some(9),
            earlier: 9,
            ..Want::default()
        };
        let features = backbone().features(images(), want);
        assert_eq!(features.earlier.len(), 1);
        let last = backbone().forward(images(), &[], &mut None);
        assert_eq!(max_difference(&features.tokens.cls, &last.cls), 0.0);
    }

    #[test]
    fn cls_attends_to_patches_and_to_itself() {
        let want = Want {
            attention: true,
            ..Want::default()
        };
        let attention = backbone().features(images(), want).attention;
        let attention = attention.expect("the last block's");
        assert_eq!(attention.dims(), [2, 2, 24]);
        let shares: Vec<f32> = attention.sum_dim(2).try_into_vec_as().expect("floats");
        assert!(
            shares.iter().all(|share| (0.5..1.0).contains(share)),
            "{shares:?}"
        );
        assert!(
            backbone()
                .features(images(), Want::default())
                .attention
                .is_none()
        );
    }
}
