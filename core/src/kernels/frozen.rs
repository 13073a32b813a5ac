//! Branches of a transformer block as single operations.

use burn::backend::Dispatch;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

use super::branch::Branch;
use super::extension::Branches;
use crate::platform::has_kernels;

/// A branch of a pre-norm transformer block, of which [`attend`] and [`transform`] make one
/// operation without gradients.
pub struct FrozenBranch(Branch<Dispatch>);

impl FrozenBranch {
    /// The branch for tokens `x`: a norm that uses [`EPSILON`](super::EPSILON), the first and the
    /// last layer, and the gain `[D]` of the branch's end, if it has one. `None` where there is no
    /// such operation: if anything needs gradients, and on other devices than the CPU.
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
            // A gain behind the last layer is a gain of its columns.
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
