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
mod composed;
mod cross_entropy;
mod extension;
mod frozen;
mod gelu;
mod layer_norm;
mod numeric;
mod product;
mod rows;
mod softmax;
mod threads;
mod window_softmax;

use burn::backend::Dispatch;
use burn::nn::LayerNorm;
use burn::tensor::{Tensor, activation};

pub use self::extension::EPSILON;
use self::extension::Kernels;
pub use self::frozen::{FrozenBranch, attend, transform};
pub use self::rows::Rearrangement;
pub(crate) use self::threads::for_each_chunk;
pub use self::window_softmax::Regions;
use crate::platform::has_kernels;

/// Exact GELU, x Φ(x), with an exact gradient on every backend.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if has_kernels(&x) {
        Tensor::from_dispatch(Dispatch::exact_gelu(x.into_dispatch()))
    } else {
        composed::gelu(x)
    }
}

/// `softmax(scale * x)` over the last dimension.
pub fn softmax<const D: usize>(x: Tensor<D>, scale: f64) -> Tensor<D> {
    if has_kernels(&x) {
        return Tensor::from_dispatch(Dispatch::scaled_softmax(x.into_dispatch(), scale as f32));
    }
    activation::softmax(x * scale, D - 1)
}

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
    composed::rearrange(x, order)
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
    composed::window_softmax(scores, bias, regions, scale)
}

#[cfg(test)]
mod tests;
