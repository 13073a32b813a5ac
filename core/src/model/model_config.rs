//! The settings of a backbone.

use serde::{Deserialize, Serialize};

use super::arch::{Arch, Dimensions};
use super::backbone_config::BackboneConfig;
use super::pos_embed::Sampling;
use super::swin::SwinConfig;
use super::vit::{Ffn, VitConfig};
use crate::problems::Problems;

/// The settings of a backbone, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Named size.
    pub arch: Arch,
    /// Side of a patch, in pixels; by default 16 for a ViT and 4 for a Swin.
    pub patch_size: Option<usize>,
    /// Width of a token, in a Swin's first stage, in place of the named size's.
    pub dim: Option<usize>,
    /// Number of blocks of a ViT, in place of the named size's.
    pub depth: Option<usize>,
    /// Attention heads of a block of a ViT, in place of the named size's.
    pub heads: Option<usize>,
    /// Blocks of each stage of a Swin, in place of the named size's.
    pub depths: Option<Vec<usize>>,
    /// Attention heads of a block in each stage of a Swin, in place of the named size's.
    pub num_heads: Option<Vec<usize>>,
    /// Side of a Swin's windows, in tokens.
    pub window_size: usize,
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
            patch_size: None,
            dim: None,
            depth: None,
            heads: None,
            depths: None,
            num_heads: None,
            window_size: 7,
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

// Stages, of which each halves the grid and doubles the width.
const MAX_STAGES: usize = 8;
// A window's attention grows with the fourth power of its side.
const MAX_WINDOW: usize = 64;

impl ModelConfig {
    /// The network for images of `image_size` pixels a side.
    pub(crate) fn backbone(&self, image_size: usize, mask_token: bool) -> BackboneConfig {
        match self.arch.dimensions() {
            Dimensions::Vit { .. } => self.vit(image_size, mask_token).into(),
            Dimensions::Swin { .. } => self.swin(image_size, mask_token).into(),
        }
    }

    /// The vision transformer for images of `image_size` pixels a side.
    pub(crate) fn vit(&self, image_size: usize, mask_token: bool) -> VitConfig {
        let (dim, depth, heads) = self.vit_dimensions();
        let hidden = dim * self.mlp_ratio;
        VitConfig {
            image_size,
            patch_size: self.patch_size.unwrap_or(16),
            dim,
            depth,
            heads,
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

    /// The Swin transformer for images of `image_size` pixels a side.
    pub(crate) fn swin(&self, image_size: usize, mask_token: bool) -> SwinConfig {
        let (dim, depths, heads) = self.swin_dimensions();
        SwinConfig {
            image_size,
            patch_size: self.patch_size.unwrap_or(4),
            dim,
            depths,
            heads,
            window: self.window_size,
            mlp_ratio: self.mlp_ratio,
            drop_path: self.drop_path,
            mask_token,
        }
    }

    /// Width, depth and heads of a ViT; those of the smallest if the name is another family's.
    fn vit_dimensions(&self) -> (usize, usize, usize) {
        let (dim, depth, heads) = match self.arch.dimensions() {
            Dimensions::Vit { dim, depth, heads } => (dim, depth, heads),
            Dimensions::Swin { .. } => (192, 12, 3),
        };
        (
            self.dim.unwrap_or(dim),
            self.depth.unwrap_or(depth),
            self.heads.unwrap_or(heads),
        )
    }

    /// Width of the first stage, and blocks and heads of all stages; those of the smallest Swin if
    /// the name is another family's.
    fn swin_dimensions(&self) -> (usize, Vec<usize>, Vec<usize>) {
        let (dim, depths, heads) = match self.arch.dimensions() {
            Dimensions::Swin { dim, depths, heads } => (dim, depths, heads),
            Dimensions::Vit { .. } => (96, [2, 2, 6, 2], [3, 6, 12, 24]),
        };
        (
            self.dim.unwrap_or(dim),
            self.depths.clone().unwrap_or_else(|| depths.to_vec()),
            self.num_heads.clone().unwrap_or_else(|| heads.to_vec()),
        )
    }

    /// Checks the values; whether the dimensions make a network.
    pub(crate) fn check(&self, at: &mut Problems) -> bool {
        // Every check is carried out, so that all mistakes are found.
        let patch = self.patch_size.unwrap_or(1);
        let mut sound = at.within("patch_size", patch, 1..=MAX_PATCH);
        sound &= at.within("mlp_ratio", self.mlp_ratio, 1..=MAX_MLP_RATIO);
        sound &= match self.arch.dimensions() {
            Dimensions::Vit { .. } => self.check_vit(at),
            Dimensions::Swin { .. } => self.check_swin(at),
        };

        if at.within("drop_path", self.drop_path, 0.0..=1.0) {
            let keeps = self.drop_path < 1.0;
            at.require(keeps, "drop_path", self.drop_path, "would drop every block");
        }
        sound
    }

    fn check_vit(&self, at: &mut Problems) -> bool {
        let (dim, depth, heads) = self.vit_dimensions();
        let mut sound = at.within("dim", dim, 1..=MAX_WIDTH);
        sound &= at.within("depth", depth, 1..=MAX_BLOCKS);
        sound &= at.within("heads", heads, 1..=MAX_WIDTH);
        sound &= at.within(
            "num_register_tokens",
            self.num_register_tokens,
            0..=MAX_REGISTERS,
        );
        if sound {
            // Only sound numbers can be divided.
            let problem = format!("is not a multiple of {heads} heads");
            sound &= at.require(dim.is_multiple_of(heads), "dim", dim, problem);
        }

        // 1, which is sound, stands for no LayerScale.
        let gain = self.layerscale.unwrap_or(1.0);
        at.require(
            gain.is_finite() && gain != 0.0,
            "layerscale",
            gain,
            "would shut the branches off: leave it out for no LayerScale",
        );
        at.within("interpolate_offset", self.interpolate_offset, 0.0..=1.0);
        sound
    }

    fn check_swin(&self, at: &mut Problems) -> bool {
        let (dim, depths, heads) = self.swin_dimensions();
        let mut sound = at.within("dim", dim, 1..=MAX_WIDTH);
        sound &= at.within("window_size", self.window_size, 1..=MAX_WINDOW);

        let shown = format!("{depths:?}");
        let counted = (1..=MAX_STAGES).contains(&depths.len())
            && depths.iter().all(|depth| (1..=MAX_BLOCKS).contains(depth));
        let problem = format!("needs 1 to {MAX_STAGES} stages of at least one block each");
        sound &= at.require(counted, "depths", shown, problem);
        if sound {
            let shown = format!("{heads:?}");
            let divides = |(stage, heads): (usize, &usize)| {
                // The width doubles from stage to stage.
                *heads > 0 && (dim << stage).is_multiple_of(*heads)
            };
            let fits = heads.len() == depths.len() && heads.iter().enumerate().all(divides);
            let problem = format!(
                "needs one number for each of {} stages, which divides the stage's width: {dim} in \
                 the first, and twice as much in each next one",
                depths.len()
            );
            sound &= at.require(fits, "num_heads", shown, problem);
        }

        self.check_without_vit(at);
        sound
    }

    /// What only a ViT has must be left out.
    fn check_without_vit(&self, at: &mut Problems) {
        let problem = "is a ViT's setting: a Swin has depths and num_heads";
        at.require(
            self.depth.is_none(),
            "depth",
            self.depth.unwrap_or(0),
            problem,
        );
        at.require(
            self.heads.is_none(),
            "heads",
            self.heads.unwrap_or(0),
            problem,
        );

        let problem = "is a ViT's setting: leave it out for a Swin";
        let registers = self.num_register_tokens;
        at.require(registers == 0, "num_register_tokens", registers, problem);
        let gain = self.layerscale.unwrap_or(1.0);
        at.require(self.layerscale.is_none(), "layerscale", gain, problem);
        let gated = self.ffn_layer == Ffn::SwiGlu;
        at.require(!gated, "ffn_layer", "swiglu", problem);
    }
}
