//! Changing a module that is only borrowed.

use std::mem;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

/// Replaces `module` by `change` of it.
pub(crate) fn change_in_place<M: Module>(module: &mut M, change: impl FnOnce(M) -> M) {
    // burn maps modules by value, and reuses the memory of a tensor only where nothing else refers
    // to it. So `change` takes the only copy, and meanwhile a module without values holds its
    // place.
    let empty = module.clone().map(&mut Empty);
    let owned = mem::replace(module, empty);
    *module = change(owned);
}

struct Empty;

impl ModuleMapper for Empty {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let device = param.device();
        let trains = param.is_require_grad();
        let shape = param.shape();
        // Only a panic in `change` can leave this parameter to be read.
        Param::uninitialized(
            param.id,
            |device, _| Tensor::zeros([0; D], device),
            device,
            trains,
            shape,
        )
    }
}
