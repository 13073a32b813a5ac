//! AdamW as the official code drives it: clipping per tensor, two parameter groups, a scheduled
//! weight decay, frozen prototypes.

use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::Tensor;

use crate::optim::gradients::{GradientNorms, NamedGradients};
use crate::optim::in_place::change_in_place;
use crate::optim::schedule::{OptimConfig, StepValues};
use crate::weights::{Parameter, map_named};

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
        module: &mut M,
        gradients: NamedGradients,
        norms: &GradientNorms,
        now: &StepValues,
        config: &OptimConfig,
    ) {
        let factors = norms.clip_factors(config);
        let mut update = Update {
            state: self,
            gradients,
            factors,
            now,
            config,
        };
        change_in_place(module, |module| {
            map_named(module, |parameter, value| update.apply(parameter, value))
        });
    }
}

struct Update<'a> {
    state: &'a mut AdamW,
    gradients: NamedGradients,
    factors: BTreeMap<&'a str, f64>,
    now: &'a StepValues,
    config: &'a OptimConfig,
}

impl Update<'_> {
    /// Updates one parameter, given its flattened values.
    fn apply(&mut self, parameter: Parameter, value: Tensor<1>) -> Tensor<1> {
        let Parameter {
            name,
            shape,
            trainable,
            ..
        } = parameter;
        let frozen = self.now.freeze_last_layer && name.contains("last_layer");
        if frozen || !trainable {
            return value;
        }

        let factor = self.factors.get(name.as_str()).copied().unwrap_or(1.0);
        let gradient = match self.gradients.0.remove(&name) {
            Some(gradient) if factor < 1.0 => gradient * factor,
            Some(gradient) => gradient,
            None => value.zeros_like(),
        };
        // Vectors (biases and norms) are not decayed; everything else is, the tokens and the
        // position embeddings included.
        let decay = if shape.len() > 1 {
            self.now.weight_decay
        } else {
            0.0
        };
        self.adamw(name, value, gradient, decay)
    }

    /// PyTorch's AdamW for one parameter.
    fn adamw(
        &mut self,
        name: String,
        value: Tensor<1>,
        gradient: Tensor<1>,
        decay: f64,
    ) -> Tensor<1> {
        let OptimConfig {
            beta1, beta2, eps, ..
        } = *self.config;
        let lr = self.now.lr;
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
        let change = first.clone() / denominator * (lr / correction(beta1));
        self.state.moments.insert(
            name,
            Moments {
                first,
                second,
                updates,
            },
        );
        value * (1.0 - lr * decay) - change
    }
}
