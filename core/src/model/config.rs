//! What a backbone is: its dimensions and its options.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::layers::Block;
use super::pos_embed::Sampling;
use super::vit::PatchEmbed;
use super::{ComputePrecision, Vit, init};
use crate::rng::Rng;

/// The feed-forward branch of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ffn {
    /// Two layers with GELU between them.
    #[default]
    Mlp,
    /// Two layers with a gate: `fc2(silu(a) * b)`, `[a, b] = fc1(x)` (the larger networks of
    /// DINOv2).
    SwiGlu,
}

/// Dimensions and options of a [`Vit`]. The plain network is iBOT's; LayerScale, registers and
/// SwiGLU make it DINOv2's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VitConfig {
    /// Side of the images the position embeddings are made for, in pixels.
    pub image_size: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Width D of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads of a block; divides `dim`.
    pub heads: usize,
    /// Width of the feed-forward branch between its two layers.
    pub hidden: usize,
    /// The feed-forward branch.
    #[serde(default)]
    pub ffn: Ffn,
    /// What LayerScale's gains start from; `None` leaves it out.
    #[serde(default)]
    pub layerscale: Option<f64>,
    /// Register tokens between CLS and patches, without position.
    #[serde(default)]
    pub registers: usize,
    /// Stochastic depth of the last block; it rises linearly from 0 at the first.
    pub drop_path: f64,
    /// How position embeddings are sampled on another grid.
    pub pos_sampling: Sampling,
    /// Whether the network has a mask token (the student of masked image modelling).
    pub mask_token: bool,
}

impl VitConfig {
    /// Patches along a side of the grid that the position embeddings are made for.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// A freshly initialised network.
    pub fn init(&self, device: &Device, rng: &mut Rng) -> Vit {
        let d = self.dim;
        let rate = |block: usize| self.drop_path * block as f64 / (self.depth.max(2) - 1) as f64;
        Vit {
            cls_token: init::normal([1, 1, d], device, rng),
            pos_embed: init::normal([1, self.grid() * self.grid() + 1, d], device, rng),
            // Registers start nearly at zero and alike, as in DINOv2; what they hold comes from
            // attention.
            reg_token: (self.registers > 0).then(|| {
                init::normal([1, self.registers, d], device, rng).map(|tokens| tokens * 5e-5)
            }),
            masked_embed: self.mask_token.then(|| init::zeros([1, d], device)),
            patch_embed: PatchEmbed {
                proj: init::patch_projection(3 * self.patch_size * self.patch_size, d, device, rng),
                patch_size: self.patch_size,
            },
            blocks: (0..self.depth)
                .map(|i| Block::new(self, rate(i), device, rng))
                .collect(),
            norm: init::layer_norm(d, device),
            pos_sampling: self.pos_sampling,
            precision: ComputePrecision::F32,
        }
    }
}
