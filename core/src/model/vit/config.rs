//! Dimensions and options of a vision transformer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::pos_embed::Sampling;

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

/// Dimensions and options of a [`Vit`](super::Vit). The plain network is iBOT's; LayerScale, registers and
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
    /// Initial gain of LayerScale; `None` leaves it out.
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

    /// Multiply-accumulates of a forward pass on one image of `side` by `side` pixels. With T tokens
    /// of width D, of which N patches:
    ///
    /// - patch embedding: `N * 3 p² * D`;
    /// - each block: `4 T D²` for queries, keys, values and the projection, `2 T² D` for attention,
    ///   and `2 T D hidden` for the MLP (`3 T D hidden` with SwiGLU).
    pub fn macs(&self, side: usize) -> f64 {
        let patches = (side / self.patch_size).pow(2) as f64;
        let tokens = patches + 1.0 + self.registers as f64;
        let d = self.dim as f64;
        let hidden = self.hidden as f64;
        let matrices = match self.ffn {
            Ffn::Mlp => 2.0,
            Ffn::SwiGlu => 3.0,
        };

        let embedding = patches * (3 * self.patch_size * self.patch_size) as f64 * d;
        let attention = 4.0 * tokens * d * d + 2.0 * tokens * tokens * d;
        let feed_forward = matrices * tokens * d * hidden;
        embedding + self.depth as f64 * (attention + feed_forward)
    }
}

impl fmt::Display for VitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ViT {} wide, {} blocks, {} heads, patch {}, made for {} px",
            self.dim, self.depth, self.heads, self.patch_size, self.image_size
        )?;

        if self.layerscale.is_some() {
            f.write_str(", LayerScale")?;
        }
        if self.ffn == Ffn::SwiGlu {
            f.write_str(", SwiGLU")?;
        }
        if self.registers > 0 {
            write!(f, ", {} registers", self.registers)?;
        }
        Ok(())
    }
}
