//! Operations of the training step, as one pass over memory each on the CPU, where burn needs
//! several: GELU, softmax, layer norm and the cross-entropy with a teacher's distribution.
//!
//! Under burn's autodiff each of them is three to ten operations, every one with a tensor that
//! lives until the backward pass. Here the forward pass keeps just what the backward pass needs. On
//! GPUs burn fuses such chains itself, so other backends compose them.
//!
//! Without gradients a branch of a transformer block is one operation, from tokens to tokens.

mod autodiff;
mod branch;
mod cross_entropy;
mod gelu;
mod layer_norm;
mod numeric;
mod product;
mod softmax;
mod threads;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Tensor, activation};

use self::branch::Branch;
use self::numeric::{changed, columns, contiguous, new, values};
pub(crate) use self::threads::for_each_chunk;
use crate::platform::has_kernels;

/// The operations on a backend's own tensors. All tensors are f32.
#[backend_extension(Flex, Autodiff)]
trait Kernels: Backend {
    /// x Φ(x).
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `softmax(scale * x)` over the last dimension.
    fn scaled_softmax(x: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;

    /// Layer norm over the last dimension, with gain `gamma` and offset `beta`.
    fn affine_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;

    /// `-<target, log_softmax(scale * logits)>` of each row, `[M, K], [M, K] -> [M, 1]`. Targets
    /// are constants.
    fn soft_cross_entropy(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self>;
}

/// Branches of a transformer block, on tokens `[B, N, D]` in 32 bits. They have no gradients.
#[backend_extension(Flex)]
trait Branches: Backend {
    /// `x + outer(attention(inner(norm(x))))`.
    fn attend(
        x: FloatTensor<Self>,
        #[extension_type] branch: Branch<Self>,
        heads: usize,
    ) -> FloatTensor<Self>;

    /// `x + outer(f(inner(norm(x))))`, where `f` is GELU, or with a gate `silu(a) * b` of `[a, b]`.
    fn transform(
        x: FloatTensor<Self>,
        #[extension_type] branch: Branch<Self>,
        gated: bool,
    ) -> FloatTensor<Self>;
}

impl Branches for Flex {
    fn attend(x: FloatTensor<Self>, branch: Branch<Self>, heads: usize) -> FloatTensor<Self> {
        let tokens = x.layout().shape()[1];
        let branch = branch::Packed::new(branch, EPSILON as f32);
        changed(x, |x| branch::attend(x, &branch, tokens, heads))
    }

    fn transform(x: FloatTensor<Self>, branch: Branch<Self>, gated: bool) -> FloatTensor<Self> {
        let branch = branch::Packed::new(branch, EPSILON as f32);
        changed(x, |x| branch::transform(x, &branch, gated))
    }
}

impl Kernels for Flex {
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        changed(x, gelu::forward)
    }

    fn scaled_softmax(x: FloatTensor<Self>, scale: f32) -> FloatTensor<Self> {
        let columns = columns(&x);
        changed(x, |x| softmax::forward(x, columns, scale))
    }

    fn affine_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let [x, gamma, beta] = [x, gamma, beta].map(contiguous);
        let (y, _) = layer_norm::forward(values(&x), values(&gamma), values(&beta), epsilon);
        new(y, x.layout().shape().clone())
    }

    fn soft_cross_entropy(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self> {
        let [logits, targets] = [logits, targets].map(contiguous);
        let (losses, _) =
            cross_entropy::forward(values(&logits), values(&targets), columns(&logits), scale);
        let rows = losses.len();
        new(losses, [rows, 1])
    }
}

/// Exact GELU, x Φ(x), with an exact gradient on every backend.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if has_kernels(&x) {
        Tensor::from_dispatch(Dispatch::exact_gelu(x.into_dispatch()))
    } else {
        composed_gelu(x)
    }
}

/// `softmax(scale * x)` over the last dimension.
pub fn softmax<const D: usize>(x: Tensor<D>, scale: f64) -> Tensor<D> {
    if has_kernels(&x) {
        return Tensor::from_dispatch(Dispatch::scaled_softmax(x.into_dispatch(), scale as f32));
    }
    activation::softmax(x * scale, D - 1)
}

/// Added to the variance in the layer norms of every network here.
pub const EPSILON: f64 = 1e-6;

/// Layer norm of `x`, `[.., D] -> [.., D]`; `layer` must use [`EPSILON`].
pub fn layer_norm<const D: usize>(layer: &LayerNorm, x: Tensor<D>) -> Tensor<D> {
    match &layer.beta {
        Some(beta) if has_kernels(&x) => {
            let [x, gamma, beta] = [
                x.into_dispatch(),
                layer.gamma.val().into_dispatch(),
                beta.val().into_dispatch(),
            ];
            Tensor::from_dispatch(Dispatch::affine_norm(x, gamma, beta, EPSILON as f32))
        }
        _ => layer.forward(x),
    }
}

/// A branch of a pre-norm transformer block, of which [`attend`] and [`transform`] make one
/// operation without gradients.
pub struct FrozenBranch(Branch<Dispatch>);

impl FrozenBranch {
    /// The branch for tokens `x`: a norm that uses [`EPSILON`], the first and the last layer, and
    /// the gain `[D]` of the branch's end, if it has one. `None` where there is no such operation:
    /// if anything needs gradients, and on other devices than the CPU.
    pub fn new(
        x: &Tensor<3>,
        norm: &LayerNorm,
        inner: &Linear,
        outer: &Linear,
        gain: Option<Tensor<1>>,
    ) -> Option<Self> {
        let inner_weight = inner.weight.val();
        let learns = x.device().is_autodiff() || inner_weight.device().is_autodiff();
        if learns || !has_kernels(x) || !has_kernels(&inner_weight) {
            return None;
        }

        let mut outer_weight = outer.weight.val();
        let mut outer_bias = outer.bias.as_ref()?.val();
        if let Some(gain) = gain {
            outer_weight = outer_weight * gain.clone().unsqueeze::<2>();
            outer_bias = outer_bias * gain;
        }
        Some(Self(Branch {
            gamma: norm.gamma.val().into_dispatch(),
            beta: norm.beta.as_ref()?.val().into_dispatch(),
            inner_weight: inner_weight.into_dispatch(),
            inner_bias: inner.bias.as_ref()?.val().into_dispatch(),
            outer_weight: outer_weight.into_dispatch(),
            outer_bias: outer_bias.into_dispatch(),
        }))
    }
}

/// `x + gain * outer(attention(inner(norm(x))))`, `[B, N, D] -> [B, N, D]`.
pub fn attend(x: Tensor<3>, branch: FrozenBranch, heads: usize) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::attend(x.into_dispatch(), branch.0, heads))
}

/// `x + gain * outer(f(inner(norm(x))))`, `[B, N, D] -> [B, N, D]`, where `f` is GELU, or with a gate
/// `silu(a) * b` of the halves `[a, b]` of its input.
pub fn transform(x: Tensor<3>, branch: FrozenBranch, gated: bool) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::transform(x.into_dispatch(), branch.0, gated))
}

/// `-<target, log_softmax(logits / temperature)>` of each row, `[M, K], [M, K] -> [M, 1]`. Targets
/// are constants.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>, temperature: f64) -> Tensor<2> {
    let scale = 1.0 / temperature;
    if has_kernels(&logits) {
        let losses = Dispatch::soft_cross_entropy(
            logits.into_dispatch(),
            targets.into_dispatch(),
            scale as f32,
        );
        return Tensor::from_dispatch(losses);
    }
    (targets * activation::log_softmax(logits * scale, 1))
        .sum_dim(1)
        .neg()
}

/// GELU from operations whose gradients are exact everywhere: that of burn's own on GPUs is of the
/// tanh approximation.
fn composed_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cdf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * cdf
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::model::init;
    use crate::rng::{Purpose, stream};
    use crate::testing::{assert_close, gradient_check, max_difference, test};

    /// Values in ±2, `[rows, columns]`, read from a transposed tensor, so that they do not lie one
    /// after another.
    fn random(rows: usize, columns: usize, seed: u64, device: &Device) -> Tensor<2> {
        init::uniform(
            [columns, rows],
            2.0,
            device,
            &mut stream(seed, Purpose::Init, 0, 0),
        )
        .val()
        .transpose()
        .detach()
    }

    /// Distributions, `[rows, columns]`, the first row twice as heavy as the others.
    fn distributions(rows: usize, columns: usize, device: &Device) -> Tensor<2> {
        let targets = activation::softmax(random(rows, columns, 7, device), 1);
        let weights = (0..rows)
            .map(|row| if row == 0 { 2.0 } else { 1.0 })
            .collect::<Vec<f32>>();
        targets * Tensor::from_data(TensorData::new(weights, [rows, 1]), device)
    }

    fn layer(columns: usize, device: &Device) -> LayerNorm {
        let mut layer = init::layer_norm(columns, device);
        let mut rng = stream(8, Purpose::Init, 0, 0);
        layer.gamma = init::uniform([columns], 1.5, device, &mut rng);
        layer.beta = Some(init::uniform([columns], 1.0, device, &mut rng));
        layer
    }

    /// Value and gradient of `f` at `x`, weighted so that no two elements count the same.
    fn value_and_gradient(
        x: &Tensor<2>,
        f: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let leaf = x.clone().detach().require_grad();
        let y = f(leaf.clone());
        let [rows, columns] = y.dims();
        let gradient = leaf.grad(
            &(y.clone() * random(rows, columns, 9, &x.device()))
                .sum()
                .backward(),
        );
        (y.inner(), gradient.expect("f depends on x"))
    }

    /// Asserts that no element differs by more than a few roundings of the largest.
    fn assert_close_to_largest(actual: &Tensor<2>, expected: &Tensor<2>) {
        let largest: f32 = expected.clone().abs().max().into_scalar();
        let difference = max_difference(actual, expected);
        assert!(
            difference <= 2e-6 * largest.max(1.0),
            "{difference} beside {largest}"
        );
    }

    /// Asserts that both compute the same values, with and without autodiff, and the same
    /// gradients.
    fn assert_same(
        x: &Tensor<2>,
        kernel: impl Fn(Tensor<2>) -> Tensor<2>,
        composed: impl Fn(Tensor<2>) -> Tensor<2>,
    ) {
        let (value, gradient) = value_and_gradient(x, &kernel);
        let (expected, expected_gradient) = value_and_gradient(x, composed);
        assert_close_to_largest(&value, &expected);
        assert_close_to_largest(&gradient, &expected_gradient);
        assert_close_to_largest(&kernel(x.clone()).inner(), &expected);
    }

    #[test]
    fn kernels_agree_with_compositions_of_burns_operations() {
        let device = Device::flex().autodiff();
        for columns in [1, 5, 16, 37, 130] {
            let x = random(6, columns, 1, &device);
            let (layer, targets) = (layer(columns, &device), distributions(6, columns, &device));
            assert_same(&x, gelu, composed_gelu);
            assert_same(&x, |x| softmax(x, 3.0), |x| activation::softmax(x * 3.0, 1));
            if columns > 1 {
                assert_same(&x, |x| layer_norm(&layer, x), |x| layer.forward(x));
            }
            assert_same(
                &x,
                |x| cross_entropy(x, targets.clone(), 0.1),
                |x| {
                    (targets.clone() * activation::log_softmax(x * 10.0, 1))
                        .sum_dim(1)
                        .neg()
                },
            );
        }
    }

    #[test]
    fn layer_norm_differentiates_its_gain_and_offset() {
        let device = Device::flex().autodiff();
        let (layer, x) = (layer(21, &device), random(6, 21, 2, &device));
        let weights = random(6, 21, 3, &device);
        let gradients = |y: Tensor<2>| {
            let gradients = (y * weights.clone()).sum().backward();
            let beta = layer.beta.as_ref().expect("an offset").val();
            [layer.gamma.val(), beta].map(|parameter| parameter.grad(&gradients).expect("a leaf"))
        };
        let kernel = gradients(layer_norm(&layer, x.clone()));
        let composed = gradients(layer.forward(x.clone()));
        for (kernel, composed) in kernel.iter().zip(&composed) {
            assert!(max_difference(kernel, composed) < 1e-5);
        }
    }

    #[test]
    fn gradients_match_finite_differences() {
        let device = Device::flex().autodiff();
        let (layer, targets) = (layer(7, &device), distributions(3, 7, &device));
        let weights = random(3, 7, 5, &device);
        let sum = |y: Tensor<2>| (y * weights.clone()).sum();
        gradient_check(random(3, 7, 4, &device), |x| sum(gelu(x)), 2e-3);
        gradient_check(random(3, 7, 4, &device), |x| sum(softmax(x, 1.5)), 2e-3);
        gradient_check(
            random(3, 7, 4, &device),
            |x| sum(layer_norm(&layer, x)),
            2e-3,
        );
        gradient_check(
            random(3, 7, 4, &device),
            |x| cross_entropy(x, targets.clone(), 0.5).sum(),
            2e-3,
        );
    }

    #[test]
    fn both_forms_of_gelu_and_their_gradients_are_exact() {
        let device = Device::flex().autodiff();
        for gelu in [gelu, composed_gelu] {
            let x =
                Tensor::<1>::from_floats([-3.0, -1.0, -0.1, 0.0, 0.5, 2.0], &device).require_grad();
            let y = gelu(x.clone());
            // x Φ(x), from tables of the normal distribution.
            let expected = [
                -0.004_049_69,
                -0.158_655_25,
                -0.046_017_22,
                0.0,
                0.345_731_23,
                1.954_499_7,
            ];
            assert_close(&y.clone().inner(), &expected, 1e-6);
            let gradient = x.grad(&y.sum().backward()).expect("x is a leaf");
            // Φ(x) + x φ(x).
            let expected = [
                -0.011_945_65,
                -0.083_315_47,
                0.420_476_9,
                0.5,
                0.867_495_1,
                1.085_231_9,
            ];
            assert_close(&gradient, &expected, 1e-6);
        }
    }

    #[test]
    fn values_that_overflow_or_are_not_numbers_stay_visible() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[0.0, f32::NAN], [1e30, -1e30]], &device);
        let y: Vec<f32> = softmax(x, 1.0).try_to_vec_as().expect("floats");
        assert!(y[0].is_nan() && y[1].is_nan());
        assert_eq!(y[2..], [1.0, 0.0]);
    }
}
