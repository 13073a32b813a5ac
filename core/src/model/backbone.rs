//! A backbone of any family. Nothing outside `model` asks which one it is: a family is a folder
//! beside [`vit`](super::vit) and an arm in each `match` here.

use std::fmt;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::features::{Features, Tokens, Want};
use super::layers::Noise;
use super::mask::Mask;
use super::precision::ComputePrecision;
use super::vit::{Vit, VitConfig};
use crate::rng::Rng;

/// Images to tokens.
#[derive(Module, Debug)]
pub enum Backbone {
    /// A vision transformer.
    Vit(Vit),
}

/// Dimensions and options of a [`Backbone`]. In JSON an object with the family as its only key,
/// `{"vit": {..}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackboneConfig {
    /// A vision transformer.
    Vit(VitConfig),
}

impl Backbone {
    /// The tokens after the last block and the final norm, of images `[B, 3, H, W]` whose sides are
    /// multiples of the [`stride`](Self::stride).
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
        let grid = self.grid(height, width);
        let blocks = want.block.unwrap_or(usize::MAX).min(self.depth());

        let mut tokens = self.embed(images, masks);
        let mut earlier = Vec::new();
        let mut attention = None;
        for block in 1..=blocks {
            if want.attention && block == blocks {
                attention = self.cls_attention(block - 1, tokens.clone());
            }
            tokens = self.run_block(block - 1, tokens, noise);
            if block < blocks && block + want.earlier >= blocks {
                earlier.push(self.finish(tokens.clone(), grid));
            }
        }

        let raw_patches = want.raw_patches.then(|| self.patches(tokens.clone()));
        Features {
            tokens: self.finish(tokens, grid),
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
        }
    }

    /// Runs one block, counted from 0, on a sequence of tokens.
    pub(crate) fn run_block(
        &self,
        block: usize,
        tokens: Tensor<3>,
        noise: &mut Noise,
    ) -> Tensor<3> {
        match self {
            Self::Vit(vit) => vit.run_block(block, tokens, noise),
        }
    }

    /// The final norm, on the sequence that a block gave for images of `grid` patches.
    pub(crate) fn finish(&self, tokens: Tensor<3>, grid: (usize, usize)) -> Tokens {
        match self {
            Self::Vit(vit) => vit.finish(tokens, grid),
        }
    }

    /// The patches of a sequence of tokens, without the final norm, `[B, N, D]`.
    fn patches(&self, tokens: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Vit(vit) => vit.patches(tokens),
        }
    }

    /// How much CLS attends to each patch in a block, counted from 0, for the sequence that enters
    /// it: `[B, heads, N]`. `None` where a family has no CLS that attends.
    fn cls_attention(&self, block: usize, tokens: Tensor<3>) -> Option<Tensor<3>> {
        match self {
            Self::Vit(vit) => Some(vit.cls_attention(block, tokens)),
        }
    }

    /// Pixels along a side of a patch of the output, which is also a cell of a mask.
    pub fn stride(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.patch_size(),
        }
    }

    /// Rows and columns of patches in the output, for images of this size in pixels.
    pub fn grid(&self, height: usize, width: usize) -> (usize, usize) {
        (height / self.stride(), width / self.stride())
    }

    /// Width of a token of the output.
    pub fn dim(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.dim(),
        }
    }

    /// Number of blocks.
    pub fn depth(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.depth(),
        }
    }

    /// Number of attention heads of the last block.
    pub fn heads(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.heads(),
        }
    }

    /// Whether masked patches can be replaced: a student's can, a teacher's not.
    pub fn has_mask_token(&self) -> bool {
        match self {
            Self::Vit(vit) => vit.has_mask_token(),
        }
    }

    /// The same weights without a mask token, as in a teacher.
    pub fn without_mask_token(self) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(vit.without_mask_token()),
        }
    }

    /// The same weights, whose matrix products compute in `precision`.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(vit.with_precision(precision)),
        }
    }

    /// The same weights, of which only those of the last `n` blocks and of the final norm learn.
    /// Backward passes end where the frozen ones begin.
    pub fn train_last(self, n: usize) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(vit.train_last(n)),
        }
    }
}

impl BackboneConfig {
    /// A freshly initialised network.
    pub fn init(&self, device: &Device, rng: &mut Rng) -> Backbone {
        match self {
            Self::Vit(vit) => Backbone::Vit(Vit::new(vit, device, rng)),
        }
    }

    /// Side of the images that the network is made for, in pixels.
    pub fn image_size(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.image_size,
        }
    }

    /// The same network for images of another size.
    pub fn with_image_size(self, image_size: usize) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(VitConfig { image_size, ..vit }),
        }
    }

    /// The same network with or without a mask token.
    pub fn with_mask_token(self, mask_token: bool) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(VitConfig { mask_token, ..vit }),
        }
    }

    /// Whether the network has a mask token.
    pub fn mask_token(&self) -> bool {
        match self {
            Self::Vit(vit) => vit.mask_token,
        }
    }

    /// Pixels along a side of a patch of the output, which is also a cell of a mask.
    pub fn stride(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.patch_size,
        }
    }

    /// Rows and columns of patches in the output, for images of this size in pixels.
    pub fn grid(&self, height: usize, width: usize) -> (usize, usize) {
        (height / self.stride(), width / self.stride())
    }

    /// The same network, whose position embeddings are sampled on other grids as those of `other`.
    pub(crate) fn sampled_as(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Vit(vit), Self::Vit(other)) => Self::Vit(VitConfig {
                pos_sampling: other.pos_sampling,
                ..vit
            }),
        }
    }

    /// Width of a token of the output.
    pub fn dim(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.dim,
        }
    }

    /// Number of blocks.
    pub fn depth(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.depth,
        }
    }

    /// Attention heads of the last block.
    pub fn heads(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.heads,
        }
    }

    /// Multiply-accumulates of a forward pass on one image of `side` by `side` pixels.
    pub fn macs(&self, side: usize) -> f64 {
        match self {
            Self::Vit(vit) => vit.macs(side),
        }
    }
}

impl From<VitConfig> for BackboneConfig {
    fn from(config: VitConfig) -> Self {
        Self::Vit(config)
    }
}

/// The network in words, for the report of what was loaded.
impl fmt::Display for BackboneConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vit(vit) => vit.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_family_is_a_key_of_the_json() {
        let json = serde_json::to_value(small_backbone()).expect("JSON");
        assert_eq!(json["vit"]["patch_size"], 4);
        let again: BackboneConfig = serde_json::from_value(json).expect("its own JSON");
        assert_eq!(again, small_backbone());
    }
}
