//! Initial weights, drawn on the host so that every device starts from the same numbers.

use burn::module::Param;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt as _;
use rand_distr::{Distribution as _, StandardNormal};

use crate::kernels;
use crate::rng::Rng;

// `trunc_normal_(std=.02)` of the official code. Its cut at an absolute 2 lies 100 deviations out,
// so the plain normal is the same distribution.
const STD: f32 = 0.02;

/// A parameter of the given shape filled with `values` (row-major).
pub(crate) fn parameter<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

/// A number drawn from N(0, 0.02²).
pub(crate) fn sample(rng: &mut Rng) -> f32 {
    STD * sample_normal(rng)
}

/// A parameter drawn from N(0, 0.02²).
pub(crate) fn normal<const D: usize>(
    shape: [usize; D],
    device: &Device,
    rng: &mut Rng,
) -> Param<Tensor<D>> {
    let values = (0..shape.iter().product()).map(|_| sample(rng)).collect();
    parameter(values, shape, device)
}

/// A parameter drawn from U(-bound, bound).
pub(crate) fn uniform<const D: usize>(
    shape: [usize; D],
    bound: f32,
    device: &Device,
    rng: &mut Rng,
) -> Param<Tensor<D>> {
    let values = (0..shape.iter().product())
        .map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound)
        .collect();
    parameter(values, shape, device)
}

pub(crate) fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::zeros(shape, device))
}

/// A linear layer `[.., d_in] -> [.., d_out]`: weight N(0, 0.02²), bias 0.
pub(crate) fn linear(d_in: usize, d_out: usize, device: &Device, rng: &mut Rng) -> Linear {
    let mut layer = LinearConfig::new(d_in, d_out).init(device);
    layer.weight = normal([d_in, d_out], device, rng);
    layer.bias = Some(zeros([d_out], device));
    layer
}

pub(crate) fn patch_projection(
    fan_in: usize,
    dim: usize,
    device: &Device,
    rng: &mut Rng,
) -> Linear {
    // The official code leaves this layer at PyTorch's default for convolutions.
    let bound = 1.0 / (fan_in as f32).sqrt();
    let mut layer = LinearConfig::new(fan_in, dim).init(device);
    layer.weight = uniform([fan_in, dim], bound, device, rng);
    layer.bias = Some(uniform([dim], bound, device, rng));
    layer
}

pub(crate) fn layer_norm(dim: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(dim)
        .with_epsilon(kernels::EPSILON)
        .init(device)
}

fn sample_normal(rng: &mut Rng) -> f32 {
    StandardNormal.sample(rng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    #[test]
    fn normal_has_the_official_deviation() {
        let device = Device::flex();
        let weights = normal([100, 100], &device, &mut stream(0, Purpose::Init, 0, 0)).val();
        let mean: f32 = weights.clone().mean().into_scalar();
        let variance: f32 = weights.square().mean().into_scalar();
        assert!(mean.abs() < 1e-3, "mean {mean}");
        assert!(
            (variance.sqrt() - STD).abs() < 5e-4,
            "deviation {}",
            variance.sqrt()
        );
    }

    #[test]
    fn patch_projection_stays_in_its_bound() {
        let device = Device::flex();
        let layer = patch_projection(192, 64, &device, &mut stream(0, Purpose::Init, 0, 0));
        let bound = 1.0 / 192f32.sqrt();
        let largest: f32 = layer.weight.val().abs().max().into_scalar();
        assert!(largest <= bound && largest > 0.99 * bound);
    }
}
