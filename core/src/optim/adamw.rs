//! AdamW as the official code drives it: clipping per tensor, two parameter groups, a scheduled
//! weight decay, frozen prototypes.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::optim::schedule::{OptimConfig, StepValues};
use crate::optim::{GradientNorms, NamedGradients};
use crate::weights::Path;

/// Moments of one parameter, flattened, and the updates it has seen.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub first: Tensor<1>,
    pub second: Tensor<1>,
    pub updates: u64,
}

/// The optimiser's state: moments by official parameter name. A parameter gets its entry with its
/// first update.
#[derive(Clone, Debug, Default)]
pub struct AdamW {
    pub(crate) moments: HashMap<String, Moments>,
}

impl AdamW {
    /// One update of all trainable parameters of `module`, a student usually.
    ///
    /// A trainable parameter that the loss does not reach has a gradient of zero, as in PyTorch's
    /// autograd of the official loss: its moments decay and its weight decay applies.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: NamedGradients,
        norms: &GradientNorms,
        now: &StepValues,
        config: &OptimConfig,
    ) -> M {
        let factors = norms.clip_factors(config);
        module.map(&mut Update {
            path: Path::default(),
            state: self,
            gradients,
            factors,
            now,
            config,
        })
    }
}

struct Update<'a> {
    path: Path,
    state: &'a mut AdamW,
    gradients: NamedGradients,
    factors: BTreeMap<&'a str, f64>,
    now: &'a StepValues,
    config: &'a OptimConfig,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let frozen = self.now.freeze_last_layer && name.contains("last_layer");
        let (id, tracked, mapper) = param.consume();
        if frozen || !tracked.is_require_grad() {
            return Param::from_mapped_value(id, tracked, mapper);
        }
        let value = tracked.inner();
        let factor = self.factors.get(name.as_str()).copied().unwrap_or(1.0);
        let gradient = match self.gradients.0.remove(&name) {
            Some(gradient) if factor < 1.0 => gradient * factor,
            Some(gradient) => gradient,
            None => value.zeros_like().flatten(0, D - 1),
        };
        let value = self.update(name, value, gradient);
        Param::from_mapped_value(id, Tensor::from_inner(value).require_grad(), mapper)
    }
}

impl Update<'_> {
    /// PyTorch's AdamW for one parameter. Vectors (biases and norms) are not decayed; everything
    /// else is, the tokens and the position embeddings included.
    fn update<const D: usize>(
        &mut self,
        name: String,
        value: Tensor<D>,
        gradient: Tensor<1>,
    ) -> Tensor<D> {
        let OptimConfig {
            beta1, beta2, eps, ..
        } = *self.config;
        let lr = self.now.lr;
        let shape = value.dims();
        let old = self.state.moments.remove(&name);
        let updates = old.as_ref().map_or(0, |moments| moments.updates) + 1;
        let scaled = gradient.clone() * (1.0 - beta1);
        let squared = gradient.square() * (1.0 - beta2);
        let (first, second) = match old {
            Some(Moments { first, second, .. }) => {
                (first * beta1 + scaled, second * beta2 + squared)
            }
            None => (scaled, squared),
        };
        let correction = |beta: f64| 1.0 - beta.powi(updates.min(i32::MAX as u64) as i32);
        let denominator = second.clone().sqrt() / correction(beta2).sqrt() + eps;
        let change = (first.clone() / denominator * (lr / correction(beta1))).reshape(shape);
        self.state.moments.insert(
            name,
            Moments {
                first,
                second,
                updates,
            },
        );
        let decay = if D > 1 { self.now.weight_decay } else { 0.0 };
        value * (1.0 - lr * decay) - change
    }
}
