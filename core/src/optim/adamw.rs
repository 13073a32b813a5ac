//! AdamW with a rule for each parameter, clipping and a weight decay that may change.

use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::Tensor;

use crate::optim::clip::{Clip, ClipBy};
use crate::optim::gradients::{GradientNorms, NamedGradients};
use crate::optim::in_place::change_in_place;
use crate::optim::rule::Rule;
use crate::problems::Problems;
use crate::weights::{Parameter, map_named};

/// What stays the same in all steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Clipping of the gradients.
    pub clip: Clip,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        // PyTorch's defaults, without clipping.
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip: Clip {
                max_norm: 0.0,
                by: ClipBy::Tensor,
            },
        }
    }
}

impl AdamWConfig {
    /// Records the settings that make no sense, clipping aside.
    pub fn check(&self, at: &mut Problems) {
        for (key, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if at.within(key, beta, 0.0..=1.0) {
                // The bias correction divides by 1 - beta^n.
                at.require(beta < 1.0, key, beta, "must be less than one");
            }
        }
        // Where all gradients were zero, the update would be 0 / 0.
        at.positive("eps", self.eps);
    }
}

/// Moments of one parameter, flattened, and the number of its updates.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub first: Tensor<1>,
    pub second: Tensor<1>,
    pub updates: u64,
}

/// The optimiser's state: moments by official parameter name. A parameter gets its entry with its
/// first update.
// burn's AdamW fixes the weight decay when it is made; iBOT schedules it.
#[derive(Clone, Debug, Default)]
pub struct AdamW {
    pub(crate) moments: HashMap<String, Moments>,
}

impl AdamW {
    /// Updates all trainable parameters of `module`, each by the `rule` for its official name and
    /// its rank.
    pub fn step<M: Module>(
        &mut self,
        module: &mut M,
        gradients: NamedGradients,
        norms: &GradientNorms,
        config: &AdamWConfig,
        rule: impl Fn(&str, usize) -> Rule,
    ) {
        let mut update = Update {
            state: self,
            gradients,
            factors: norms.clip_factors(config.clip),
            config,
        };
        change_in_place(module, |module| {
            map_named(module, |parameter, value| {
                let rule = rule(&parameter.name, parameter.shape.len());
                update.apply(parameter, value, rule)
            })
        });
    }
}

struct Update<'a> {
    state: &'a mut AdamW,
    gradients: NamedGradients,
    /// Of clipping.
    factors: BTreeMap<&'a str, f64>,
    config: &'a AdamWConfig,
}

impl Update<'_> {
    fn apply(&mut self, parameter: Parameter, value: Tensor<1>, rule: Rule) -> Tensor<1> {
        let Parameter {
            name, trainable, ..
        } = parameter;
        // The moments stay too: the official code sets the gradient to None, which AdamW skips.
        if rule.frozen || !trainable {
            return value;
        }

        let factor = self.factors.get(name.as_str()).copied().unwrap_or(1.0);
        let gradient = match self.gradients.0.remove(&name) {
            Some(gradient) if factor < 1.0 => gradient * factor,
            Some(gradient) => gradient,
            // As in PyTorch, where the official loss reaches every parameter: moments and weights
            // decay.
            None => value.zeros_like(),
        };

        // Taken out of the map, so that burn can reuse the memory of the old moments.
        let old = self.state.moments.remove(&name);
        let moments = Moments::update(old, gradient, self.config);
        let change = moments.change(rule.lr, self.config);
        self.state.moments.insert(name, moments);
        value * (1.0 - rule.lr * rule.weight_decay) - change
    }
}

/// PyTorch's AdamW for one parameter.
impl Moments {
    fn update(old: Option<Self>, gradient: Tensor<1>, config: &AdamWConfig) -> Self {
        let AdamWConfig { beta1, beta2, .. } = *config;
        let scaled = gradient.clone() * (1.0 - beta1);
        let squared = gradient.square() * (1.0 - beta2);
        match old {
            Some(old) => Self {
                first: old.first * beta1 + scaled,
                second: old.second * beta2 + squared,
                updates: old.updates + 1,
            },
            None => Self {
                first: scaled,
                second: squared,
                updates: 1,
            },
        }
    }

    /// What is subtracted from the decayed values.
    fn change(&self, lr: f64, config: &AdamWConfig) -> Tensor<1> {
        let first = 1.0 - power(config.beta1, self.updates);
        let second = 1.0 - power(config.beta2, self.updates);
        // `eps` comes after the bias correction, as in PyTorch.
        let denominator = self.second.clone().sqrt() / second.sqrt() + config.eps;
        self.first.clone() / denominator * (lr / first)
    }
}

fn power(beta: f64, updates: u64) -> f64 {
    // `powi` takes an i32; the power is 0 long before.
    beta.powi(updates.min(i32::MAX as u64) as i32)
}
