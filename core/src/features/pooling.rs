//! One vector for an image: what classifiers see of it.

use std::fmt;

use burn::tensor::{Device, ExecutionError, Tensor};

use super::encode;
use crate::image::RgbImage;
use crate::model::{Backbone, Features, Want};

/// Which tokens make an image's feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pooling {
    /// CLS tokens of so many last blocks after the final norm, the deepest last. The paper takes 1
    /// for k-NN and 4 for the linear evaluation of ViT-S.
    pub cls_blocks: usize,
    /// Also the mean of the last block's patch tokens, as for the linear evaluation of ViT-B and
    /// ViT-L.
    pub patch_mean: PatchMean,
}

/// The mean of the last block's patch tokens as a part of a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PatchMean {
    /// It is no part.
    #[default]
    None,
    /// Of the tokens after the final norm.
    Normed,
    /// Of the tokens as the last block gives them.
    Raw,
}

impl From<bool> for PatchMean {
    fn from(normed: bool) -> Self {
        if normed { Self::Normed } else { Self::None }
    }
}

impl Pooling {
    /// The CLS token of the last block.
    pub const CLS: Self = Self {
        cls_blocks: 1,
        patch_mean: PatchMean::None,
    };

    /// What classifiers are tuned on.
    pub const TUNE: Self = Self {
        cls_blocks: 1,
        patch_mean: PatchMean::Normed,
    };

    /// The mean of the last block's patches without the final norm.
    pub const PATCHES: Self = Self {
        cls_blocks: 0,
        patch_mean: PatchMean::Raw,
    };

    /// The feature that the official code calls `avgpool_patchtokens` = `flag`, with `n` =
    /// `cls_blocks` last blocks: 0 takes their CLS tokens, 2 adds the mean patch, 1 takes the mean
    /// patch without the final norm alone. `None` for another flag.
    pub fn official(flag: usize, cls_blocks: usize) -> Option<Self> {
        match flag {
            0 => Some(Self {
                cls_blocks,
                patch_mean: PatchMean::None,
            }),
            1 => Some(Self::PATCHES),
            2 => Some(Self {
                cls_blocks,
                patch_mean: PatchMean::Normed,
            }),
            _ => None,
        }
    }

    /// Width of a feature of this kind.
    pub fn width(self, backbone: &Backbone) -> usize {
        let means = usize::from(self.patch_mean != PatchMean::None);
        backbone.cls_width(self.cls_blocks) + backbone.dim() * means
    }

    /// Features `[B, width]` of images `[B, 3, H, W]`.
    pub fn of(self, backbone: &Backbone, images: Tensor<4>) -> Tensor<2> {
        self.read(&backbone.features(images, self.want()))
    }

    pub(super) fn want(self) -> Want {
        Want {
            earlier: self.cls_blocks.saturating_sub(1),
            raw_patches: self.patch_mean == PatchMean::Raw,
            ..Want::default()
        }
    }

    /// The feature in `features`, which hold at least what [`Self::want`] asks for.
    pub(super) fn read(self, features: &Features) -> Tensor<2> {
        let mut parts = Vec::new();
        let earlier = self.want().earlier;
        // Others may have asked for more blocks in the same pass; the last ones are wanted.
        let skipped = features.earlier.len().saturating_sub(earlier);
        for tokens in &features.earlier[skipped..] {
            parts.push(tokens.cls.clone());
        }
        if self.cls_blocks > 0 {
            parts.push(features.tokens.cls.clone());
        }

        let patches = match self.patch_mean {
            PatchMean::None => None,
            PatchMean::Normed => Some(features.tokens.clone().into_patches()),
            PatchMean::Raw => Some(features.raw_patches()),
        };
        parts.extend(patches.map(|patches| patches.mean_dim(1).squeeze_dim(1)));
        Tensor::cat(parts, 1)
    }
}

/// A name without spaces, such as `cls4+mean`.
impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = match self.patch_mean {
            PatchMean::None => "",
            PatchMean::Normed => "mean",
            PatchMean::Raw => "rawmean",
        };
        match (self.cls_blocks, mean) {
            (0, mean) => f.write_str(mean),
            (blocks, "") => write!(f, "cls{blocks}"),
            (blocks, mean) => write!(f, "cls{blocks}+{mean}"),
        }
    }
}

/// The [`Pooling::TUNE`] feature of `image`, shown whole with a shorter side of about `shorter`
/// pixels.
pub async fn feature(
    backbone: &Backbone,
    image: &RgbImage,
    shorter: usize,
    device: &Device,
) -> Result<Vec<f32>, ExecutionError> {
    let (rows, columns) = encode::grid_of(image, shorter, backbone.stride());
    let pixels = encode::pixels(image, rows, columns, backbone.stride(), device);
    let data = Pooling::TUNE.of(backbone, pixels).into_data_async().await?;
    Ok(data.iter::<f32>().collect())
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{small_backbone, test};

    #[test]
    fn a_feature_is_cls_and_the_mean_patch() {
        let device = Device::flex();
        let backbone = small_backbone().init(&device, &mut stream(1, Purpose::Init, 0, 0));
        let image = RgbImage::from_fn(24, 16, |x, y| [(x * 10) as u8, (y * 15) as u8, 77]);
        let feature = block_on(feature(&backbone, &image, 16, &device)).expect("flex");
        let seen = block_on(encode::encode(&backbone, &image, 16, None, &device)).expect("flex");
        let mean: Vec<f32> = (0..16)
            .map(|d| seen.patches.tokens().map(|token| token[d]).sum::<f32>() / 24.0)
            .collect();
        assert_eq!(feature.len(), Pooling::TUNE.width(&backbone));
        assert_eq!(feature[..16], seen.cls);
        assert!(
            feature[16..]
                .iter()
                .zip(mean)
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
    }
}
