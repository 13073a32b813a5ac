//! One vector for an image: what classifiers see of it.

use burn::tensor::{Device, ExecutionError, Tensor};

use crate::features::encode;
use crate::image::RgbImage;
use crate::model::Vit;

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
    pub fn width(self, backbone: &Vit) -> usize {
        backbone.dim() * (self.cls_blocks.min(backbone.depth()) + usize::from(self.patch_mean))
    }

    /// Features `[B, width]` of images `[B, 3, H, W]`.
    pub fn of(self, backbone: &Vit, images: Tensor<4>) -> Tensor<2> {
        let layers = backbone.intermediate_layers(images, self.cls_blocks.max(1));
        let patches = layers.last().filter(|_| self.patch_mean).cloned();
        let cls = layers
            .into_iter()
            .take(self.cls_blocks)
            .map(|tokens| backbone.cls_of(tokens));
        let patches = patches.map(|tokens| backbone.patches_of(tokens).mean_dim(1).squeeze_dim(1));
        Tensor::cat(cls.chain(patches).collect(), 1)
    }
}

/// The [`Pooling::TUNE`] feature of `image`, shown whole with a shorter side of about `shorter`
/// pixels.
///
/// # Errors
/// If the device fails.
pub async fn feature(
    backbone: &Vit,
    image: &RgbImage,
    shorter: usize,
    device: &Device,
) -> Result<Vec<f32>, ExecutionError> {
    let (rows, columns) = encode::grid_of(image, shorter, backbone.patch_size());
    let pixels = encode::pixels(image, rows, columns, backbone.patch_size(), device);
    let data = Pooling::TUNE.of(backbone, pixels).into_data_async().await?;
    Ok(data.iter::<f32>().collect())
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{small_vit, test};

    #[test]
    fn a_feature_is_cls_and_the_mean_patch() {
        let device = Device::flex();
        let vit = small_vit().init(&device, &mut stream(1, Purpose::Init, 0, 0));
        let image = RgbImage::from_fn(24, 16, |x, y| [(x * 10) as u8, (y * 15) as u8, 77]);
        let feature = block_on(feature(&vit, &image, 16, &device)).expect("flex");
        let seen = block_on(encode::encode(&vit, &image, 16, None, &device)).expect("flex");
        let mean: Vec<f32> = (0..16)
            .map(|d| seen.patches.tokens().map(|token| token[d]).sum::<f32>() / 24.0)
            .collect();
        assert_eq!(feature.len(), Pooling::TUNE.width(&vit));
        assert_eq!(feature[..16], seen.cls);
        assert!(
            feature[16..]
                .iter()
                .zip(mean)
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
    }
}
