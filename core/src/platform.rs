//! Differences between burn's backends, all of them.

use burn::tensor::{DType, Device, Tensor};

/// Whether [`kernels`](crate::kernels) has operations of its own for this tensor: on the CPU. Other
/// backends fuse what they are given.
pub(crate) fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.device() == Device::flex() && x.dtype() == DType::F32
}
