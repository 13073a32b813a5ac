//! Mixed precision: matrix products in 16 bits, sums and norms in 32, as in PyTorch's autocast.
//!
//! Parameters, their gradients and moments, the tokens between blocks, norms, softmax, GELU and the
//! losses stay f32. Linear layers, attention's two products and the prototypes compute in the
//! precision of their input.

use std::fmt;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{DType, Device, FloatDType, Tensor, module};
use serde::{Deserialize, Serialize};

/// The numbers of a network's matrix products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputePrecision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with 11 of precision and a small range: gradients need a [loss
    /// scale](crate::optim::LossScale). The official code's `use_fp16`.
    F16,
    /// 16 bits with 8 of precision and the range of f32.
    Bf16,
}

impl ComputePrecision {
    /// burn's name for these numbers.
    pub fn dtype(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::F16 => FloatDType::F16,
            Self::Bf16 => FloatDType::BF16,
        }
    }

    /// Whether `device` computes with these numbers.
    pub fn is_supported_by(self, device: &Device) -> bool {
        device.supports_dtype(self.dtype())
    }

    /// `x`, about to enter a matrix product.
    pub(crate) fn narrow<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        cast(x, self.dtype())
    }
}

impl fmt::Display for ComputePrecision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

pub(crate) fn widen<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    cast(x, FloatDType::F32)
}

pub(crate) fn like<const D: usize, const E: usize>(x: Tensor<D>, other: &Tensor<E>) -> Tensor<D> {
    cast(x, other.dtype().into())
}

/// `f` of `x` computed in 32 bits, in the numbers of `x`.
pub(crate) fn widely<const D: usize>(
    x: Tensor<D>,
    f: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    // In the numbers that it came in: what follows may be a matrix product.
    let numbers = x.dtype().into();
    cast(f(widen(x)), numbers)
}

/// The output of `layer` for `x`, `[.., in] -> [.., out]`, in the numbers of `x`.
pub(crate) fn linear<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    affine(x, layer.weight.val(), layer.bias.as_ref().map(Param::val))
}

/// `x weight + bias`, `[.., in] -> [.., out]`, in the numbers of `x`.
pub(crate) fn affine<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let weight = like(weight, &x);
    let bias = bias.map(|bias| like(bias, &x));
    module::linear(x, weight, bias)
}

fn cast<const D: usize>(x: Tensor<D>, numbers: FloatDType) -> Tensor<D> {
    // A cast is an operation of the backward pass too.
    if x.dtype() == DType::from(numbers) {
        x
    } else {
        x.cast(numbers)
    }
}
