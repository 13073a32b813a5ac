//! From pixels to patch tokens.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::config::VitConfig;
use crate::model::init;
use crate::model::naming::{Layout, Naming, field};
use crate::model::precision::linear;
use crate::rng::Rng;

/// Non-overlapping patches, each projected to a token. A convolution whose stride is its kernel is
/// a linear layer on flattened patches; as one it runs at the speed of a matrix product on every
/// backend.
#[derive(Module, Debug)]
pub(super) struct PatchEmbed {
    proj: Linear,
    patch_size: usize,
}

/// The official code has a convolution here.
pub(in crate::model) const NAMES: Naming =
    Naming::of("PatchEmbed", &[field("proj").stored(Layout::Patches)]);

impl PatchEmbed {
    pub fn new(config: &VitConfig, device: &Device, rng: &mut Rng) -> Self {
        let VitConfig {
            patch_size, dim, ..
        } = *config;
        Self {
            proj: init::patch_projection(3 * patch_size * patch_size, dim, device, rng),
            patch_size,
        }
    }

    pub fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// `[B, 3, H, W] -> [B, N, D]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let [b, c, height, width] = images.dims();
        let p = self.patch_size;
        let rows = height / p;
        let columns = width / p;

        let patches = images
            .reshape([b, c, rows, p, columns, p])
            .permute([0, 2, 4, 1, 3, 5]);
        linear(&self.proj, patches.reshape([b, rows * columns, c * p * p]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, small_vit, test};

    #[test]
    fn patch_embedding_is_the_strided_convolution() {
        let device = Device::flex();
        let rng = &mut stream(0, Purpose::Init, 0, 0);
        let config = VitConfig {
            patch_size: 8,
            dim: 24,
            ..small_vit()
        };
        let layer = PatchEmbed::new(&config, &device, rng);
        let image = init::uniform([1, 3, 16, 24], 1.0, &device, rng).val();
        let tokens = layer.forward(image.clone());

        let weight = layer.proj.weight.val().transpose().reshape([24, 3, 8, 8]);
        let bias = layer.proj.bias.as_ref().map(|bias| bias.val());
        let options = burn::tensor::ops::ConvOptions::new([8, 8], [0, 0], [1, 1], 1);
        let conv = burn::tensor::module::conv2d(image, weight, bias, options);
        let conv = conv.reshape([1, 24, 6]).swap_dims(1, 2);
        assert!(max_difference(&tokens, &conv) < 1e-5);
    }
}
