//! Named sizes of backbones.

use serde::{Deserialize, Serialize};

/// Named sizes of backbones.
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
    /// 96 wide in the first of four stages, 12 blocks.
    SwinTiny,
    /// 96 wide in the first of four stages, 24 blocks.
    SwinSmall,
    /// 128 wide in the first of four stages, 24 blocks.
    SwinBase,
    /// 192 wide in the first of four stages, 24 blocks.
    SwinLarge,
}

/// Dimensions behind a name.
pub(super) enum Dimensions {
    Vit {
        dim: usize,
        depth: usize,
        heads: usize,
    },
    Swin {
        dim: usize,
        depths: [usize; 4],
        heads: [usize; 4],
    },
}

impl Arch {
    pub(super) fn dimensions(self) -> Dimensions {
        let vit = |dim, depth, heads| Dimensions::Vit { dim, depth, heads };
        let swin = |dim, third, heads: usize| Dimensions::Swin {
            dim,
            depths: [2, 2, third, 2],
            heads: [heads, 2 * heads, 4 * heads, 8 * heads],
        };

        match self {
            Self::VitTiny => vit(192, 12, 3),
            Self::VitSmall => vit(384, 12, 6),
            Self::VitBase => vit(768, 12, 12),
            Self::VitLarge => vit(1024, 24, 16),
            Self::SwinTiny => swin(96, 6, 3),
            Self::SwinSmall => swin(96, 18, 3),
            Self::SwinBase => swin(128, 18, 4),
            Self::SwinLarge => swin(192, 18, 6),
        }
    }
}
