//! The iBOT head: a three-layer MLP, an L2-normalised bottleneck and weight-normed prototypes
//! (paper section 3.3).

mod config;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

pub use self::config::{HeadConfig, HeadPart};
use super::init;
use super::naming::{Naming, field};
use super::precision::{ComputePrecision, like, linear, widely, widen};
use crate::kernels;
use crate::rng::Rng;

impl HeadConfig {
    /// A freshly initialised head for tokens of width `dim`.
    pub fn init(&self, dim: usize, device: &Device, rng: &mut Rng) -> Head {
        let (cls, patch) = (self.cls(), self.patch());
        let frozen_gain = self.norm_last_layer;

        // Prototypes draw after the MLP: the same seed keeps giving the same network.
        let mlp = cls.mlp(dim, device, rng);
        let last_layer = Prototypes::new(cls, frozen_gain, device, rng);
        let last_layer2 =
            (!self.shared_head).then(|| Prototypes::new(patch, frozen_gain, device, rng));
        // Last, so that heads with one MLP draw the same numbers as ever.
        let mlp2 = (!self.shared_mlp).then(|| patch.mlp(dim, device, rng));

        Head {
            mlp,
            last_layer,
            last_layer2,
            mlp2,
            precision: ComputePrecision::F32,
        }
    }
}

impl HeadPart {
    /// A fresh MLP for tokens of width `dim`.
    fn mlp(self, dim: usize, device: &Device, rng: &mut Rng) -> Vec<Linear> {
        vec![
            init::linear(dim, self.hidden, device, rng),
            init::linear(self.hidden, self.hidden, device, rng),
            init::linear(self.hidden, self.bottleneck, device, rng),
        ]
    }
}

/// Projection head of student and teacher. Patch tokens share its MLP and prototypes with CLS
/// tokens, have prototypes of their own, or both.
#[derive(Module, Debug)]
pub struct Head {
    mlp: Vec<Linear>,
    last_layer: Prototypes,
    last_layer2: Option<Prototypes>,
    mlp2: Option<Vec<Linear>>,
    #[module(skip)]
    precision: ComputePrecision,
}

// The official MLP is a sequence of layers and activations: its layers stand at 0, 2 and 4. The
// official code has no second MLP; its name here goes with that of the second prototypes.
pub(super) const NAMES: Naming =
    Naming::of("Head", &[field("mlp").every(2), field("mlp2").every(2)]);

impl Head {
    /// Unit vectors `[M, bottleneck]` of CLS tokens `[M, D]`.
    pub fn cls_bottleneck(&self, tokens: Tensor<2>) -> Tensor<2> {
        self.unit_vectors(&self.mlp, tokens)
    }

    /// Unit vectors `[M, bottleneck]` of patch tokens `[M, D]`.
    pub fn patch_bottleneck(&self, tokens: Tensor<2>) -> Tensor<2> {
        self.unit_vectors(self.mlp2.as_ref().unwrap_or(&self.mlp), tokens)
    }

    /// Whether CLS and patch tokens have one MLP.
    pub fn shares_mlp(&self) -> bool {
        self.mlp2.is_none()
    }

    fn unit_vectors(&self, mlp: &[Linear], tokens: Tensor<2>) -> Tensor<2> {
        let mut x = self.precision.narrow(tokens);
        for (i, layer) in mlp.iter().enumerate() {
            if i > 0 {
                x = widely(x, kernels::gelu);
            }
            x = linear(layer, x);
        }
        // Norms are taken in 32 bits, as by PyTorch's autocast.
        l2_normalize(widen(x))
    }

    /// Logits `[M, K]` of CLS tokens, from their bottleneck vectors.
    pub fn cls_logits(&self, bottleneck: Tensor<2>) -> Tensor<2> {
        self.last_layer.forward(self.precision.narrow(bottleneck))
    }

    /// Logits `[M, K]` of patch tokens, from their bottleneck vectors.
    pub fn patch_logits(&self, bottleneck: Tensor<2>) -> Tensor<2> {
        self.last_layer2
            .as_ref()
            .unwrap_or(&self.last_layer)
            .forward(self.precision.narrow(bottleneck))
    }

    /// The same weights, whose matrix products compute in `precision`.
    pub fn with_precision(self, precision: ComputePrecision) -> Self {
        Self { precision, ..self }
    }

    pub(super) fn precision(&self) -> ComputePrecision {
        self.precision
    }

    /// Prototypes K of CLS tokens.
    pub fn prototypes(&self) -> usize {
        self.last_layer.weight_v.dims()[0]
    }

    /// Prototypes of patch tokens.
    pub fn patch_prototypes(&self) -> usize {
        self.last_layer2
            .as_ref()
            .unwrap_or(&self.last_layer)
            .weight_v
            .dims()[0]
    }

    /// The head of a teacher that shares its prototypes although the student does not: the official
    /// code's default flags, which no released run has.
    pub fn into_shared(mut self) -> Self {
        // Loading the student's state there leaves the patch prototypes in the shared place.
        if let Some(patch) = self.last_layer2.take() {
            self.last_layer = patch;
        }
        if let Some(patch) = self.mlp2.take() {
            self.mlp = patch;
        }
        self
    }
}

/// K prototypes: a weight-normed linear layer without bias, in PyTorch's layout.
#[derive(Module, Debug)]
struct Prototypes {
    /// Gains, `[K, 1]`.
    weight_g: Param<Tensor<2>>,
    /// Directions, `[K, bottleneck]`.
    weight_v: Param<Tensor<2>>,
}

impl Prototypes {
    fn new(part: HeadPart, frozen_gain: bool, device: &Device, rng: &mut Rng) -> Self {
        let HeadPart {
            bottleneck,
            prototypes: count,
            ..
        } = part;
        let gain = Param::from_tensor(Tensor::ones([count, 1], device));
        // PyTorch's default for a linear layer of this width.
        let bound = 1.0 / (bottleneck as f32).sqrt();

        Self {
            weight_g: if frozen_gain {
                gain.set_require_grad(false)
            } else {
                gain
            },
            weight_v: init::uniform([count, bottleneck], bound, device, rng),
        }
    }

    /// `[M, bottleneck] -> [M, K]`, computed in the numbers of `x`, given in 32 bits.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let direction = self.weight_v.val();
        // The direction is normalised in 32 bits and only the product narrowed.
        let norm = direction.clone().square().sum_dim(1).sqrt();
        let prototypes = like(direction * (self.weight_g.val() / norm), &x);
        widen(x.matmul(prototypes.transpose()))
    }
}

/// `x / max(|x|, 1e-12)` along the last dimension, as `torch.nn.functional.normalize`.
pub fn l2_normalize(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    x / norm
}

#[cfg(test)]
mod tests;
