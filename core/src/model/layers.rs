//! Layers that the blocks of several backbones share: the feed-forward branch, LayerScale and
//! stochastic depth.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData, activation};
use rand::RngExt as _;

use super::init;
use super::precision::{affine, linear, widely, widen};
use crate::kernels::{self, FrozenBranch};
use crate::rng::Rng;

/// Where stochastic depth takes its random numbers; `None` switches it off (teacher, evaluation).
pub type Noise<'a> = Option<&'a mut Rng>;

/// The feed-forward branch of a block: a two-layer perceptron, or its gated variant SwiGLU.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    /// `[D, hidden]`; with a gate `[D, 2 * hidden]`, the gate first.
    fc1: Linear,
    fc2: Linear,
    gated: bool,
}

impl Mlp {
    pub fn new(dim: usize, hidden: usize, gated: bool, device: &Device, rng: &mut Rng) -> Self {
        let width = if gated { 2 * hidden } else { hidden };
        Self {
            fc1: init::linear(dim, width, device, rng),
            fc2: init::linear(hidden, dim, device, rng),
            gated,
        }
    }

    /// `[B, N, D] -> [B, N, D]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if !self.gated {
            return linear(&self.fc2, widely(linear(&self.fc1, x), kernels::gelu));
        }

        let hidden = self.fc1.weight.dims()[1] / 2;
        let gate = widely(columns(&self.fc1, x.clone(), 0, hidden), activation::silu);
        linear(&self.fc2, gate * columns(&self.fc1, x, hidden, hidden))
    }

    /// `x + gain * mlp(norm(x))` as one operation without gradients, if there is one for `x`.
    pub fn frozen(
        &self,
        x: &Tensor<3>,
        norm: &LayerNorm,
        gain: Option<Tensor<1>>,
    ) -> Option<FrozenBranch> {
        FrozenBranch::new(x, norm, &self.fc1, &self.fc2, gain)
    }

    /// Whether the first layer has a gate.
    pub fn is_gated(&self) -> bool {
        self.gated
    }
}

/// Columns `start..start + count` of the output of `layer` for `x`.
pub(super) fn columns(layer: &Linear, x: Tensor<3>, start: usize, count: usize) -> Tensor<3> {
    // The gradient of a slice fills a tensor of the whole's size, and the weight is much smaller
    // than the output.
    let bias = layer
        .bias
        .as_ref()
        .map(|bias| bias.val().narrow(0, start, count));
    affine(x, layer.weight.val().narrow(1, start, count), bias)
}

/// A learned gain for each channel of a branch (LayerScale, as in DINOv2).
#[derive(Module, Debug)]
pub(super) struct LayerScale {
    /// `[D]`.
    gamma: Param<Tensor<1>>,
}

impl LayerScale {
    pub fn new(dim: usize, initial: f64, device: &Device) -> Self {
        Self {
            gamma: Param::from_tensor(Tensor::full([dim], initial, device)),
        }
    }
}

/// The gain `[D]` of a branch, if the network has LayerScale.
pub(super) fn gain(scale: &Option<LayerScale>) -> Option<Tensor<1>> {
    scale.as_ref().map(|scale| scale.gamma.val())
}

/// The end of a branch `[B, N, D]`: in 32 bits, scaled if the network has LayerScale.
pub(super) fn scaled(scale: &Option<LayerScale>, branch: Tensor<3>) -> Tensor<3> {
    let branch = widen(branch);
    match gain(scale) {
        Some(gain) => branch * gain.unsqueeze::<3>(),
        None => branch,
    }
}

/// `x + branch(x)`, with stochastic depth: an image goes without the branch with probability
/// `rate`, and the branch of the others is scaled up to the same mean.
pub(super) fn residual(
    x: Tensor<3>,
    branch: impl Fn(Tensor<3>) -> Tensor<3>,
    rate: f64,
    noise: &mut Noise,
) -> Tensor<3> {
    let (Some(rng), true) = (noise, rate > 0.0) else {
        return x.clone() + branch(x);
    };

    let keep = 1.0 - rate;
    let images = x.dims()[0];
    let kept: Vec<i32> = (0..images as i32)
        .filter(|_| rng.random::<f64>() < keep)
        .collect();
    if kept.is_empty() {
        return x;
    }
    if kept.len() == images {
        return x.clone() + branch(x) / keep;
    }

    // Only the kept images go through the branch, so what is dropped costs nothing.
    let rows = kept.len();
    // On a device without autodiff: indices are part of no graph.
    let kept = Tensor::<1, Int>::from_data(TensorData::new(kept, [rows]), &x.device().inner());
    let branch = branch(x.clone().select(0, kept.clone())) / keep;
    x.select_assign(0, kept, branch, IndexingUpdateOp::Add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, test};

    #[test]
    fn stochastic_depth_keeps_the_mean_and_drops_whole_images() {
        let device = Device::flex();
        let mut rng = stream(3, Purpose::DropPath, 0, 0);
        let x = Tensor::<3>::ones([4000, 2, 2], &device);
        let y = residual(x.clone(), |x| x * 0.7, 0.3, &mut Some(&mut rng));
        let values: Vec<f32> = y.try_to_vec_as().expect("floats");
        let kept = values.chunks(4).filter(|image| image[0] > 1.0).count() as f64 / 4000.0;
        assert!(values.chunks(4).all(|image| {
            image
                .iter()
                .all(|v| (v - 1.0).abs() < 1e-6 || (v - 2.0).abs() < 1e-6)
        }));
        assert!(
            values
                .chunks(4)
                .all(|image| image.iter().all(|v| *v == image[0]))
        );
        assert!((kept - 0.7).abs() < 0.03, "kept {kept}");
        let off: Vec<f32> = residual(x, |x| x * 0.5, 0.3, &mut None)
            .try_to_vec_as()
            .expect("floats");
        assert!(off.iter().all(|v| *v == 1.5));
    }

    #[test]
    fn what_stochastic_depth_leaves_out_has_the_gradient_of_zeros() {
        let device = Device::flex().autodiff();
        let mut rng = stream(4, Purpose::DropPath, 0, 0);
        // Rates at which of six images all, some and none are kept.
        for rate in [1e-9, 0.5, 1.0 - 1e-9] {
            let seed = rng.clone();
            let factors = (0..6).map(|_| {
                if rng.random::<f64>() < 1.0 - rate {
                    1.0 / (1.0 - rate)
                } else {
                    0.0
                }
            });
            let factors = TensorData::new(
                factors.map(|factor| factor as f32).collect::<Vec<_>>(),
                [6, 1, 1],
            );
            let factors = Tensor::<3>::from_data(factors, &device);
            let x = init::uniform([6, 2, 3], 1.0, &device, &mut rng)
                .val()
                .detach();
            let gradient = |f: &dyn Fn(Tensor<3>) -> Tensor<3>| {
                let leaf = x.clone().detach().require_grad();
                leaf.grad(&f(leaf.clone()).square().sum().backward())
                    .expect("a leaf")
            };
            let branch = |x: Tensor<3>| x.clone() * x;
            let skipped = gradient(&|x| residual(x, branch, rate, &mut Some(&mut seed.clone())));
            let multiplied = gradient(&|x| x.clone() + branch(x) * factors.clone());
            assert!(max_difference(&skipped, &multiplied) < 1e-5, "rate {rate}");
        }
    }
}
