//! Parameters as flat tensors by official name: one type for tensors of any rank.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::Path;

/// All parameters of `module`, flattened and outside autodiff.
pub(crate) fn flat_parameters<M: Module>(module: &M) -> HashMap<String, Tensor<1>> {
    let mut collect = Collect::default();
    module.visit(&mut collect);
    collect.tensors
}

/// Replaces every parameter's values by what `f` makes of its official name and its flattened
/// values.
pub(crate) fn map_flat<M: Module>(module: M, f: impl FnMut(&str, Tensor<1>) -> Tensor<1>) -> M {
    module.map(&mut Replace {
        path: Path::default(),
        f,
    })
}

#[derive(Default)]
struct Collect {
    path: Path,
    tensors: HashMap<String, Tensor<1>>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.tensors.insert(
            self.path.name(),
            param.val().without_autodiff().flatten(0, D - 1),
        );
    }
}

struct Replace<F> {
    path: Path,
    f: F,
}

impl<F: FnMut(&str, Tensor<1>) -> Tensor<1>> ModuleMapper for Replace<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, old, mapper) = param.consume();
        let (shape, tracked, trainable) = (old.dims(), old.is_autodiff(), old.is_require_grad());
        let new =
            (self.f)(&self.path.name(), old.without_autodiff().flatten(0, D - 1)).reshape(shape);
        let new = if tracked {
            new.autodiff().set_require_grad(trainable)
        } else {
            new
        };
        Param::from_mapped_value(id, new, mapper)
    }
}
