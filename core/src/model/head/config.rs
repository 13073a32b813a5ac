//! Dimensions and options of a head.

use serde::{Deserialize, Serialize};

use crate::problems::Problems;
use crate::weights::Weights;

/// Dimensions and options of a `Head`, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// Prototypes K of the CLS token.
    pub out_dim: usize,
    /// Prototypes of the patch tokens, when they have their own.
    pub patch_out_dim: usize,
    /// One set of prototypes for CLS and patches (every released run), or one each.
    pub shared_head: bool,
    /// Width of the MLP's two hidden layers.
    pub hidden_dim: usize,
    /// Width of the bottleneck.
    pub bottleneck_dim: usize,
    /// One MLP for CLS and patches (every released run), or one each (DINOv2's separate heads),
    /// which needs `shared_head = false`.
    pub shared_mlp: bool,
    /// Width of the two hidden layers of the patch tokens' MLP, when they have their own.
    pub patch_hidden_dim: usize,
    /// Width of the patch tokens' bottleneck, when they have their own MLP.
    pub patch_bottleneck_dim: usize,
    /// Freezes the prototypes' gains at 1: more stable, a little less accurate.
    pub norm_last_layer: bool,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self {
            out_dim: 8192,
            patch_out_dim: 8192,
            shared_head: true,
            hidden_dim: 2048,
            bottleneck_dim: 256,
            shared_mlp: true,
            patch_hidden_dim: 2048,
            patch_bottleneck_dim: 256,
            norm_last_layer: true,
        }
    }
}

const MAX_PROTOTYPES: usize = 1 << 24;
const MAX_WIDTH: usize = 65_536;

impl HeadConfig {
    pub(crate) fn check(&self, at: &mut Problems) {
        at.within("out_dim", self.out_dim, 2..=MAX_PROTOTYPES);
        at.within("patch_out_dim", self.patch_out_dim, 2..=MAX_PROTOTYPES);
        at.within("hidden_dim", self.hidden_dim, 1..=MAX_WIDTH);
        at.within("bottleneck_dim", self.bottleneck_dim, 1..=MAX_WIDTH);
        at.within("patch_hidden_dim", self.patch_hidden_dim, 1..=MAX_WIDTH);
        at.within(
            "patch_bottleneck_dim",
            self.patch_bottleneck_dim,
            1..=MAX_WIDTH,
        );
        at.require(
            self.shared_mlp || !self.shared_head,
            "shared_mlp",
            self.shared_mlp,
            "gives patch tokens an MLP of their own and no prototypes: set head.shared_head = false",
        );
    }
}

impl HeadConfig {
    /// The head in a file, from the shapes of its tensors; `None` if there is none, or none that is
    /// whole.
    pub(crate) fn infer(weights: &Weights) -> Option<Self> {
        let cls = weights.get("head.last_layer.weight_v")?;
        let &[out_dim, bottleneck_dim] = &cls.shape[..] else {
            return None;
        };
        // One set of prototypes is stored under both names.
        let patch = weights
            .get("head.last_layer2.weight_v")
            .filter(|patch| *patch != cls);
        let gains = weights.get("head.last_layer.weight_g")?;
        let hidden = weights.get("head.mlp.0.weight")?;
        let hidden_dim = *hidden.shape.first()?;
        let patch_hidden = weights.get("head.mlp2.0.weight");

        Some(Self {
            out_dim,
            patch_out_dim: patch
                .and_then(|patch| patch.shape.first().copied())
                .unwrap_or(out_dim),
            shared_head: patch.is_none(),
            hidden_dim,
            bottleneck_dim,
            shared_mlp: patch_hidden.is_none(),
            patch_hidden_dim: patch_hidden
                .and_then(|hidden| hidden.shape.first().copied())
                .unwrap_or(hidden_dim),
            patch_bottleneck_dim: patch
                .and_then(|patch| patch.shape.get(1).copied())
                .unwrap_or(bottleneck_dim),
            // Gains that learned are hardly ever all 1.
            norm_last_layer: gains.values.iter().all(|gain| *gain == 1.0),
        })
    }

    /// The part of the CLS tokens.
    pub fn cls(&self) -> HeadPart {
        HeadPart {
            hidden: self.hidden_dim,
            bottleneck: self.bottleneck_dim,
            prototypes: self.out_dim,
        }
    }

    /// The part of the patch tokens, shared or not.
    pub fn patch(&self) -> HeadPart {
        let mut part = self.cls();
        if !self.shared_head {
            part.prototypes = self.patch_out_dim;
        }
        if !self.shared_mlp {
            part.hidden = self.patch_hidden_dim;
            part.bottleneck = self.patch_bottleneck_dim;
        }
        part
    }
}

/// Widths of the layers that tokens of one kind go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPart {
    /// Of the MLP's two hidden layers.
    pub hidden: usize,
    /// Of the bottleneck.
    pub bottleneck: usize,
    /// Number of prototypes.
    pub prototypes: usize,
}

impl HeadPart {
    /// Multiply-accumulates of the MLP for one token of width `dim`: `D * hidden + hidden² + hidden *
    /// bottleneck`.
    pub fn mlp_macs(self, dim: usize) -> f64 {
        let hidden = self.hidden;
        (dim * hidden + hidden * hidden + hidden * self.bottleneck) as f64
    }

    /// Multiply-accumulates of the prototypes for one token.
    pub fn prototype_macs(self) -> f64 {
        (self.bottleneck * self.prototypes) as f64
    }
}
