//! Traversals of a module's parameters under their official names.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use super::path::Path;
use crate::model::naming::Layout;

pub(crate) struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub layout: Layout,
    pub trainable: bool,
}

impl Parameter {
    fn new<const D: usize>(path: &Path, value: &Tensor<D>) -> Self {
        Self {
            name: path.name(),
            shape: value.dims().to_vec(),
            layout: path.layout(),
            trainable: value.is_require_grad(),
        }
    }
}

/// The value of a parameter of any rank, because a closure cannot be generic over the rank.
pub(crate) trait Value {
    /// The values outside autodiff, flattened.
    fn flat(&self) -> Tensor<1>;

    /// Takes the parameter's gradient, flattened, out of what a backward pass gave; `None` if the
    /// loss does not depend on the parameter.
    fn take_gradient(&self, gradients: &mut Gradients) -> Option<Tensor<1>>;
}

impl<const D: usize> Value for Tensor<D> {
    fn flat(&self) -> Tensor<1> {
        self.clone().without_autodiff().flatten(0, D - 1)
    }

    fn take_gradient(&self, gradients: &mut Gradients) -> Option<Tensor<1>> {
        Some(self.grad_remove(gradients)?.flatten(0, D - 1))
    }
}

/// Calls `visit` with each parameter of `module` and its value, in the module's order.
pub(crate) fn visit_named<M: Module>(module: &M, visit: impl FnMut(Parameter, &dyn Value)) {
    module.visit(&mut Traversal {
        path: Path::default(),
        call: visit,
    });
}

/// Replaces the values of each parameter of `module` by what `map` returns for the parameter and
/// its values, flattened and outside autodiff. Parameters stay trainable or frozen.
pub(crate) fn map_named<M: Module>(
    module: M,
    map: impl FnMut(Parameter, Tensor<1>) -> Tensor<1>,
) -> M {
    module.map(&mut Traversal {
        path: Path::default(),
        call: map,
    })
}

struct Traversal<F> {
    path: Path,
    call: F,
}

impl<F: FnMut(Parameter, &dyn Value)> ModuleVisitor for Traversal<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        (self.call)(Parameter::new(&self.path, &value), &value);
    }
}

impl<F: FnMut(Parameter, Tensor<1>) -> Tensor<1>> ModuleMapper for Traversal<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, old, mapper) = param.consume();
        let parameter = Parameter::new(&self.path, &old);
        let shape = old.dims();
        let tracked = old.is_autodiff();
        let trainable = parameter.trainable;

        let new = (self.call)(parameter, old.without_autodiff().flatten(0, D - 1)).reshape(shape);

        // A leaf again, so that what `map` did is part of no graph.
        let new = if tracked {
            new.autodiff().set_require_grad(trainable)
        } else {
            new
        };
        Param::from_mapped_value(id, new, mapper)
    }
}
