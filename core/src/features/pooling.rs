//! One vector for an image: what classifiers see of it.

use burn::tensor::{Device, ExecutionError, Tensor};

use crate::features::encode;
use crate::image::RgbImage;
use crate::model::{Backbone, Want};

/// Which tokens make an image's feature; all after the final norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// CLS tokens of so many last blocks, the deepest last. The paper takes 1 for k-NN and 4 for
    /// the linear evaluation of ViT-S.
    pub cls_blocks: usize,
    /// Also the mean of the last block's patch tokens, as for the linear evaluation of ViT-B and
    /// ViT-L.
    pub patch_mean: bool,
}

impl Pooling {
    /// The CLS token of the last block.
    pub const CLS: Self = Self {
        cls_blocks: 1,
        patch_mean: false,
    };

    /// What classifiers are tuned on.
    pub const TUNE: Self = Self {
        cls_blocks: 1,
        patch_mean: true,
    };

    /// Width of a feature of this kind.
    pub fn width(self, backbone: &Backbone) -> usize {
        backbone.dim() * (self.cls_blocks.min(backbone.depth()) + usize::from(self.patch_mean))
    }

    /// Features `[B, width]` of images `[B, 3, H, W]`.
    pub fn of(self, backbone: &Backbone, images: Tensor<4>) -> Tensor<2> {
        let want = Want {
            earlier: self.cls_blocks.saturating_sub(1),
            ..Want::default()
        };
        let features = backbone.features(images, want);

        let mut parts: Vec<Tensor<2>> = features
            .earlier
            .into_iter()
            .map(|tokens| tokens.cls)
            .collect();
        if self.cls_blocks > 0 {
            parts.push(features.tokens.cls.clone());
        }
        if self.patch_mean {
            let patches = features.tokens.into_patches();
            parts.push(patches.mean_dim(1).squeeze_dim(1));
        }
        Tensor::cat(parts, 1)
    }
}

/// The [`Pooling::TUNE`] feature of `image`, shown whole with a shorter side of about `shorter`
/// pixels.
///
/// # Errors
/// If the device fails.
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
