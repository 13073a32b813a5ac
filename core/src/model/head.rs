//! The iBOT head: a three-layer MLP, an L2-normalised bottleneck and weight-normed prototypes
//! (paper section 3.3).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::init;
use super::naming::{Naming, field};
use super::precision::{ComputePrecision, like, linear, widely, widen};
use crate::kernels;
use crate::problems::Problems;
use crate::rng::Rng;
use crate::weights::Weights;

/// Dimensions and options of a [`Head`], with the official code's names.
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

        Some(Self {
            out_dim,
            patch_out_dim: patch
                .and_then(|patch| patch.shape.first().copied())
                .unwrap_or(out_dim),
            shared_head: patch.is_none(),
            hidden_dim: *hidden.shape.first()?,
            bottleneck_dim,
            norm_last_layer: gains.values.iter().all(|gain| *gain == 1.0),
        })
    }

    /// Multiply-accumulates of the MLP for one token of width `dim`: `D * hidden + hidden² + hidden *
    /// bottleneck`.
    pub fn macs(&self, dim: usize) -> f64 {
        let hidden = self.hidden_dim;
        (dim * hidden + hidden * hidden + hidden * self.bottleneck_dim) as f64
    }

    /// A freshly initialised head for tokens of width `dim`.
    pub fn init(&self, dim: usize, device: &Device, rng: &mut Rng) -> Head {
        let hidden = self.hidden_dim;
        let bottleneck = self.bottleneck_dim;
        let mlp = vec![
            init::linear(dim, hidden, device, rng),
            init::linear(hidden, hidden, device, rng),
            init::linear(hidden, bottleneck, device, rng),
        ];

        // Prototypes draw after the MLP: the same seed keeps giving the same network.
        let frozen_gain = self.norm_last_layer;
        let last_layer = Prototypes::new(self.out_dim, bottleneck, frozen_gain, device, rng);
        let last_layer2 = (!self.shared_head)
            .then(|| Prototypes::new(self.patch_out_dim, bottleneck, frozen_gain, device, rng));

        Head {
            mlp,
            last_layer,
            last_layer2,
            precision: ComputePrecision::F32,
        }
    }
}

/// Projection head of student and teacher. The MLP always serves CLS and patches; the prototypes
/// may be shared.
#[derive(Module, Debug)]
pub struct Head {
    mlp: Vec<Linear>,
    last_layer: Prototypes,
    last_layer2: Option<Prototypes>,
    #[module(skip)]
    precision: ComputePrecision,
}

// The official MLP is a sequence of layers and activations: its layers stand at 0, 2 and 4.
pub(super) const NAMES: Naming = Naming::of("Head", &[field("mlp").every(2)]);

impl Head {
    /// Unit vectors `[M, bottleneck]` of tokens `[M, D]`.
    pub fn bottleneck(&self, tokens: Tensor<2>) -> Tensor<2> {
        let mut x = self.precision.narrow(tokens);
        for (i, layer) in self.mlp.iter().enumerate() {
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
    fn new(
        count: usize,
        bottleneck: usize,
        frozen_gain: bool,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
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
