//! Named sizes of backbones, and the settings that change them.

use serde::{Deserialize, Serialize};

use super::vit::pos_embed::Sampling;
use super::vit::{Ffn, VitConfig};
use crate::problems::Problems;

/// Named sizes of vision transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 192 wide, 12 blocks, 3 heads.
    VitTiny,
    /// 384 wide, 12 blocks, 6 heads.
    VitSmall,
    /// 768 wide, 12 blocks, 12 heads.
    VitBase,
    /// 1024 wide, 24 blocks, 16 heads.
    VitLarge,
}

impl Arch {
    /// Width, depth and heads.
    pub fn dimensions(self) -> (usize, usize, usize) {
        match self {
            Self::VitTiny => (192, 12, 3),
            Self::VitSmall => (384, 12, 6),
            Self::VitBase => (768, 12, 12),
            Self::VitLarge => (1024, 24, 16),
        }
    }
}

/// The settings of a backbone, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Named size.
    pub arch: Arch,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width of a token, in place of the named size's.
    pub dim: Option<usize>,
    /// Number of blocks, in place of the named size's.
    pub depth: Option<usize>,
    /// Attention heads of a block, in place of the named size's.
    pub heads: Option<usize>,
    /// Width of the MLP's hidden layer over the token's; SwiGLU takes two thirds of it, in steps of
    /// eight.
    pub mlp_ratio: usize,
    /// The feed-forward branch: `mlp`, or `swiglu` as in DINOv2's larger networks.
    pub ffn_layer: Ffn,
    /// What LayerScale's gains start from (DINOv2: 1e-5); without it there is no LayerScale.
    pub layerscale: Option<f64>,
    /// Register tokens.
    pub num_register_tokens: usize,
    /// Stochastic depth of the student's last block.
    pub drop_path: f64,
    /// Offset of the position embeddings' interpolation: 0.1 samples as the official code does, 0
    /// at the plain ratio.
    pub interpolate_offset: f64,
    /// Whether that interpolation is antialiased, as in DINOv2's networks with registers.
    pub interpolate_antialias: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            arch: Arch::VitSmall,
            patch_size: 16,
            dim: None,
            depth: None,
            heads: None,
            mlp_ratio: 4,
            ffn_layer: Ffn::Mlp,
            layerscale: None,
            num_register_tokens: 0,
            drop_path: 0.1,
            interpolate_offset: Sampling::OFFICIAL.offset,
            interpolate_antialias: Sampling::OFFICIAL.antialias,
        }
    }
}

// Beyond these bounds, which no network comes near, sizes would overflow or ask for memory that no
// machine has.
const MAX_WIDTH: usize = 65_536;
const MAX_BLOCKS: usize = 1024;
const MAX_REGISTERS: usize = 1024;
const MAX_MLP_RATIO: usize = 64;
/// Longest side of a patch, in pixels.
const MAX_PATCH: usize = 16_384;

impl ModelConfig {
    /// The network for images of `image_size` pixels a side.
    pub(crate) fn vit(&self, image_size: usize, mask_token: bool) -> VitConfig {
        let (dim, depth, heads) = self.arch.dimensions();
        let dim = self.dim.unwrap_or(dim);
        let hidden = dim * self.mlp_ratio;
        VitConfig {
            image_size,
            patch_size: self.patch_size,
            dim,
            depth: self.depth.unwrap_or(depth),
            heads: self.heads.unwrap_or(heads),
            hidden: match self.ffn_layer {
                Ffn::Mlp => hidden,
                // A gate is a third matrix: two thirds of the width keep the number of parameters.
                Ffn::SwiGlu => (hidden * 2 / 3).next_multiple_of(8),
            },
            ffn: self.ffn_layer,
            layerscale: self.layerscale,
            registers: self.num_register_tokens,
            drop_path: self.drop_path,
            pos_sampling: Sampling {
                offset: self.interpolate_offset,
                antialias: self.interpolate_antialias,
            },
            mask_token,
        }
    }

    /// Checks the values; whether the dimensions make a network.
    pub(crate) fn check(&self, at: &mut Problems) -> bool {
        let (dim, depth, heads) = self.arch.dimensions();
        let dim = self.dim.unwrap_or(dim);
        let depth = self.depth.unwrap_or(depth);
        let heads = self.heads.unwrap_or(heads);

        // Every check is carried out, so that all mistakes are found.
        let mut sound = at.within("patch_size", self.patch_size, 1..=MAX_PATCH);
        sound &= at.within("dim", dim, 1..=MAX_WIDTH);
        sound &= at.within("depth", depth, 1..=MAX_BLOCKS);
        sound &= at.within("heads", heads, 1..=MAX_WIDTH);
        sound &= at.within("mlp_ratio", self.mlp_ratio, 1..=MAX_MLP_RATIO);
        sound &= at.within(
            "num_register_tokens",
            self.num_register_tokens,
            0..=MAX_REGISTERS,
        );
        if sound {
            let problem = format!("is not a multiple of {heads} heads");
            sound &= at.require(dim.is_multiple_of(heads), "dim", dim, problem);
        }

        let gain = self.layerscale.unwrap_or(1.0);
        at.require(
            gain.is_finite() && gain != 0.0,
            "layerscale",
            gain,
            "would shut the branches off: leave it out for no LayerScale",
        );
        if at.within("drop_path", self.drop_path, 0.0..=1.0) {
            let keeps = self.drop_path < 1.0;
            at.require(keeps, "drop_path", self.drop_path, "would drop every block");
        }
        at.within("interpolate_offset", self.interpolate_offset, 0.0..=1.0);
        sound
    }
}
