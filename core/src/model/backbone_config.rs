//! What makes a backbone of any family: its dimensions and options, and what follows from them.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::backbone::Backbone;
use super::swin::{Swin, SwinConfig};
use super::vit::{Vit, VitConfig};
use crate::rng::Rng;

/// Dimensions and options of a [`Backbone`]. In JSON an object with the family as its only key,
/// `{"vit": {..}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackboneConfig {
    /// A vision transformer.
    Vit(VitConfig),
    /// A Swin transformer.
    Swin(SwinConfig),
}

impl BackboneConfig {
    /// A freshly initialised network.
    pub fn init(&self, device: &Device, rng: &mut Rng) -> Backbone {
        match self {
            Self::Vit(vit) => Backbone::Vit(Vit::new(vit, device, rng)),
            Self::Swin(swin) => Backbone::Swin(Swin::new(swin, device, rng)),
        }
    }

    /// Side of the images that the network is made for, in pixels.
    pub fn image_size(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.image_size,
            Self::Swin(swin) => swin.image_size,
        }
    }

    /// The same network for images of another size.
    pub fn with_image_size(self, image_size: usize) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(VitConfig { image_size, ..vit }),
            Self::Swin(swin) => Self::Swin(SwinConfig { image_size, ..swin }),
        }
    }

    /// The same network with other stochastic depth: that of the last block, to which it rises
    /// linearly from 0 at the first.
    pub fn with_drop_path(self, drop_path: f64) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(VitConfig { drop_path, ..vit }),
            Self::Swin(swin) => Self::Swin(SwinConfig { drop_path, ..swin }),
        }
    }

    /// The same network with or without a mask token.
    pub fn with_mask_token(self, mask_token: bool) -> Self {
        match self {
            Self::Vit(vit) => Self::Vit(VitConfig { mask_token, ..vit }),
            Self::Swin(swin) => Self::Swin(SwinConfig { mask_token, ..swin }),
        }
    }

    /// Whether the network has a mask token.
    pub fn mask_token(&self) -> bool {
        match self {
            Self::Vit(vit) => vit.mask_token,
            Self::Swin(swin) => swin.mask_token,
        }
    }

    /// Pixels along a side of a patch of the output, which is also a cell of a mask.
    pub fn stride(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.patch_size,
            Self::Swin(swin) => swin.stride(),
        }
    }

    /// Pixels along a side of a patch of the input, of which the sides of images must be multiples.
    pub fn patch_size(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.patch_size,
            Self::Swin(swin) => swin.patch_size,
        }
    }

    /// Rows and columns of patches in the output, for images of this size in pixels.
    pub fn grid(&self, height: usize, width: usize) -> (usize, usize) {
        match self {
            Self::Vit(vit) => (height / vit.patch_size, width / vit.patch_size),
            Self::Swin(swin) => swin.grid((height, width)),
        }
    }

    /// The same network with what the shapes of its tensors do not tell, as in `other`: how position
    /// embeddings are sampled on other grids, or which images windows are made for.
    pub(crate) fn sampled_as(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Vit(vit), Self::Vit(other)) => Self::Vit(VitConfig {
                pos_sampling: other.pos_sampling,
                ..vit
            }),
            (Self::Swin(swin), Self::Swin(other)) => Self::Swin(SwinConfig {
                image_size: other.image_size,
                ..swin
            }),
            // A file of another family says nothing of this one.
            (own, _) => own,
        }
    }

    /// Width of a token of the output.
    pub fn dim(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.dim,
            Self::Swin(swin) => swin.width(swin.stages() - 1),
        }
    }

    /// Number of blocks.
    pub fn depth(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.depth,
            Self::Swin(swin) => swin.depths.iter().sum(),
        }
    }

    /// Attention heads of the last block.
    pub fn heads(&self) -> usize {
        match self {
            Self::Vit(vit) => vit.heads,
            Self::Swin(swin) => swin.heads.last().copied().unwrap_or(0),
        }
    }

    /// Width of the CLS tokens of the last `blocks` blocks, one behind another.
    pub fn cls_width(&self, blocks: usize) -> usize {
        match self {
            Self::Vit(vit) => vit.dim * blocks.min(vit.depth),
            Self::Swin(swin) => swin.cls_width(blocks),
        }
    }

    /// How much memory the activations of an image of `side` by `side` pixels take, in tokens as wide
    /// as those of the output.
    pub fn wide_tokens(&self, side: usize) -> usize {
        match self {
            Self::Vit(vit) => (side / vit.patch_size).pow(2) + 1,
            Self::Swin(swin) => swin.wide_tokens(side),
        }
    }

    /// Multiply-accumulates of a forward pass on one image of `side` by `side` pixels.
    pub fn macs(&self, side: usize) -> f64 {
        match self {
            Self::Vit(vit) => vit.macs(side),
            Self::Swin(swin) => swin.macs(side),
        }
    }
}

impl From<SwinConfig> for BackboneConfig {
    fn from(config: SwinConfig) -> Self {
        Self::Swin(config)
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
            Self::Swin(swin) => swin.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{small_backbone, test};

    #[test]
    fn the_family_is_a_key_of_the_json() {
        let json = serde_json::to_value(small_backbone()).expect("JSON");
        assert_eq!(json["vit"]["patch_size"], 4);
        let again: BackboneConfig = serde_json::from_value(json).expect("its own JSON");
        assert_eq!(again, small_backbone());
    }
}
