//! The operations as burn's backends know them, and how its CPU backend computes them.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};

use super::branch::{self, Branch};
use super::numeric::{changed, columns, contiguous, new, values};
use super::rows::{self, Rearrangement};
use super::window_softmax::{self, Regions};
use super::{cross_entropy, gelu, layer_norm, softmax};

/// Added to the variance in the layer norms of every network here.
pub const EPSILON: f64 = 1e-6;

/// The operations on a backend's own tensors. All tensors are f32.
#[backend_extension(Flex, Autodiff)]
pub(super) trait Kernels: Backend {
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
pub(super) trait Branches: Backend {
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
