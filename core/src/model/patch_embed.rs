//! From pixels to patch tokens.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Tensor};

use super::init;
use super::naming::{Layout, Naming, field};
use super::precision::{ComputePrecision, linear, widen};
use crate::kernels;
use crate::rng::Rng;

/// Non-overlapping patches, each projected to a token. A convolution whose stride is its kernel is
/// a linear layer on flattened patches; as one it runs at the speed of a matrix product on every
/// backend.
#[derive(Module, Debug)]
pub(super) struct PatchEmbed {
    proj: Linear,
    /// Of each token, in hierarchical backbones.
    norm: Option<LayerNorm>,
    patch_size: usize,
}

// The official code has a convolution here.
pub(super) const NAMES: Naming = Naming::of("PatchEmbed", &[field("proj").stored(Layout::Patches)]);

impl PatchEmbed {
    /// Patches of `patch_size` pixels a side become tokens of width `dim`.
    pub fn new(patch_size: usize, dim: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            proj: init::patch_projection(3 * patch_size * patch_size, dim, device, rng),
            norm: None,
            patch_size,
        }
    }

    /// The same with a norm of each token.
    pub fn with_norm(self, device: &Device) -> Self {
        let norm = init::layer_norm(self.dim(), device);
        Self {
            norm: Some(norm),
            ..self
        }
    }

    pub fn dim(&self) -> usize {
        self.proj.weight.dims()[1]
    }

    pub fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// `[B, 3, H, W] -> [B, N, D]`, the tokens in 32 bits.
    pub fn forward(&self, images: Tensor<4>, precision: ComputePrecision) -> Tensor<3> {
        let [b, c, height, width] = images.dims();
        let p = self.patch_size;
        let rows = height / p;
        let columns = width / p;

        let patches = precision
            .narrow(images)
            .reshape([b, c, rows, p, columns, p])
            // Patch by patch, and in each channel by channel, as a kernel of a convolution has it.
            .permute([0, 2, 4, 1, 3, 5]);
        let tokens = linear(&self.proj, patches.reshape([b, rows * columns, c * p * p]));

        let tokens = widen(tokens);
        match &self.norm {
            Some(norm) => kernels::layer_norm(norm, tokens),
            None => tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, test};

    #[test]
    fn patch_embedding_is_the_strided_convolution() {
        let device = Device::flex();
        let rng = &mut stream(0, Purpose::Init, 0, 0);
        let layer = PatchEmbed::new(8, 24, &device, rng);
        let image = init::uniform([1, 3, 16, 24], 1.0, &device, rng).val();
        let tokens = layer.forward(image.clone(), ComputePrecision::F32);

        let weight = layer.proj.weight.val().transpose().reshape([24, 3, 8, 8]);
        let bias = layer.proj.bias.as_ref().map(|bias| bias.val());
        let options = burn::tensor::ops::ConvOptions::new([8, 8], [0, 0], [1, 1], 1);
        let conv = burn::tensor::module::conv2d(image, weight, bias, options);
        let conv = conv.reshape([1, 24, 6]).swap_dims(1, 2);
        assert!(max_difference(&tokens, &conv) < 1e-5);
    }
}
