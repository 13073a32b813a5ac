//! Operations of the training step, as one pass over memory each on the CPU, where burn needs
//! several: GELU, softmax, layer norm, the cross-entropy with a teacher's distribution, and the
//! attention of windows.
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
mod rows;
mod softmax;
mod threads;
mod window_softmax;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Int, Tensor, TensorData, activation};

use self::branch::Branch;
use self::numeric::{changed, columns, contiguous, new, values};
pub use self::rows::Rearrangement;
pub(crate) use self::threads::for_each_chunk;
pub use self::window_softmax::Regions;
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

    /// The rows of each image of `x`, `[B, N, D]`, in another order.
    fn rearranged(x: FloatTensor<Self>, order: Rearrangement) -> FloatTensor<Self>;

    /// `softmax(scale * x + bias + mask)` over the last dimension of `[G, heads, N, N]`, with a bias
    /// `[heads, N, N]`.
    fn windowed_softmax(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        regions: Option<Regions>,
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

    fn rearranged(x: FloatTensor<Self>, order: Rearrangement) -> FloatTensor<Self> {
        let x = contiguous(x);
        let (images, columns) = (x.layout().shape()[0], columns(&x));
        let moved = rows::forward(values(&x), columns, &order);
        new(moved, [images, order.count(), columns])
    }

    fn windowed_softmax(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        regions: Option<Regions>,
        scale: f32,
    ) -> FloatTensor<Self> {
        let (bias, columns) = (contiguous(bias), columns(&x));
        changed(x, |x| {
            window_softmax::forward(x, values(&bias), columns, regions.as_ref(), scale);
        })
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

/// The rows of each image of `x` in another order, `[B, N, D] -> [B, M, D]`.
pub fn rearrange(x: Tensor<3>, order: &Rearrangement) -> Tensor<3> {
    if has_kernels(&x) {
        return Tensor::from_dispatch(Dispatch::rearranged(x.into_dispatch(), order.clone()));
    }
    composed_rearrange(x, order)
}

/// Attention's shares inside of windows, `softmax(scale * x + bias)` over the last dimension:
/// scores `[G, heads, N, N]` of the windows of some images, image by image, and a bias `[heads, N,
/// N]`. With `regions`, 100 is taken from the logit of two tokens of different ones.
pub fn window_softmax(
    scores: Tensor<4>,
    bias: Tensor<3>,
    regions: Option<&Regions>,
    scale: f64,
) -> Tensor<4> {
    if has_kernels(&scores) {
        let shares = Dispatch::windowed_softmax(
            scores.into_dispatch(),
            bias.into_dispatch(),
            regions.cloned(),
            scale as f32,
        );
        return Tensor::from_dispatch(shares);
    }
    composed_window_softmax(scores, bias, regions, scale)
}

fn composed_rearrange(x: Tensor<3>, order: &Rearrangement) -> Tensor<3> {
    let [b, n, d] = x.dims();
    let sources = TensorData::new(order.sources_or(n), [order.count()]);
    let sources = Tensor::<1, Int>::from_data(sources, &x.device().inner());

    if !order.has_zeros() {
        return x.select(1, sources);
    }
    let zeros = Tensor::zeros([b, 1, d], &x.device());
    Tensor::cat(vec![x, zeros], 1).select(1, sources)
}

fn composed_window_softmax(
    scores: Tensor<4>,
    bias: Tensor<3>,
    regions: Option<&Regions>,
    scale: f64,
) -> Tensor<4> {
    let logits = scores * scale + bias.unsqueeze::<4>();
    let Some(regions) = regions else {
        return activation::softmax(logits, 3);
    };

    let [g, h, n, _] = logits.dims();
    let windows = regions.windows();
    let numbers: Vec<f32> = regions.numbers().map(f32::from).collect();
    let numbers = TensorData::new(numbers, [1, windows, 1, n, 1]);
    let own = Tensor::<5>::from_data(numbers, &logits.device());
    // Numbers are integers: those that differ do so by 1 or more.
    let apart = (own.clone() - own.swap_dims(3, 4)).abs().clamp_max(1.0);

    let logits = logits.reshape([g / windows, windows, h, n, n]);
    let logits = logits + apart * f64::from(window_softmax::APART);
    activation::softmax(logits.reshape([g, h, n, n]), 3)
}

/// GELU from operations whose gradients are exact everywhere: that of burn's own on GPUs is of the
/// tanh approximation.
fn composed_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cdf = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    x * cdf
}

#[cfg(test)]
mod tests;
