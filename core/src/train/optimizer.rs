//! AdamW as the official code drives it: clipping per tensor, two parameter groups, a scheduled weight decay, frozen
//! prototypes.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::model::Network;
use crate::schedule::{ClipBy, OptimConfig, StepValues};
use crate::weights::Path;

/// Moments of one parameter, flattened, and the updates it has seen.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub first: Tensor<1>,
    pub second: Tensor<1>,
    pub updates: u64,
}

/// The optimiser's state: moments by official parameter name. A parameter gets its entry with its first update.
#[derive(Clone, Debug, Default)]
pub struct AdamW {
    pub(crate) moments: HashMap<String, Moments>,
}

/// Norm of every parameter's gradient, by official name, in the order of the parameters.
#[derive(Clone, Debug, Default)]
pub struct GradientNorms(pub Vec<(String, f64)>);

impl GradientNorms {
    /// The norm of all gradients together.
    pub fn total(&self) -> f64 {
        self.0.iter().map(|(_, norm)| norm * norm).sum::<f64>().sqrt()
    }

    /// Names of the parameters whose gradient is not finite.
    pub fn non_finite(&self) -> Vec<String> {
        self.0.iter().filter(|(_, norm)| !norm.is_finite()).map(|(name, _)| name.clone()).collect()
    }

    /// The factor of every gradient that keeps norms below `config.clip_grad`.
    fn clip_factors(&self, config: &OptimConfig) -> HashMap<&str, f64> {
        let factor = |norm: f64| {
            if config.clip_grad > 0.0 { (config.clip_grad / (norm + 1e-6)).min(1.0) } else { 1.0 }
        };
        let total = factor(self.total());
        let of = |norm: f64| match config.clip_by {
            ClipBy::Tensor => factor(norm),
            ClipBy::Global => total,
        };
        self.0.iter().map(|(name, norm)| (name.as_str(), of(*norm))).collect()
    }
}

impl AdamW {
    /// One update of all trainable parameters of `student`.
    ///
    /// A trainable parameter that the loss does not reach has a gradient of zero, as in PyTorch's autograd of the
    /// official loss: its moments decay and its weight decay applies.
    pub fn step(
        &mut self,
        student: Network,
        gradients: &mut Gradients,
        norms: &GradientNorms,
        now: &StepValues,
        config: &OptimConfig,
    ) -> Network {
        let factors = norms.clip_factors(config);
        student.map(&mut Update { path: Path::default(), state: self, gradients, factors, now, config })
    }
}

/// Squared norms of all gradients as tensors of one element each, with the parameters' names. Nothing is read yet.
pub(crate) fn squared_norms(student: &Network, gradients: &Gradients) -> (Vec<String>, Vec<Tensor<1>>) {
    let mut norms = SquaredNorms { path: Path::default(), gradients, names: Vec::new(), squares: Vec::new() };
    student.visit(&mut norms);
    (norms.names, norms.squares)
}

struct SquaredNorms<'a> {
    path: Path,
    gradients: &'a Gradients,
    names: Vec<String>,
    squares: Vec<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorms<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.names.push(self.path.name());
            self.squares.push(gradient.square().sum());
        }
    }
}

struct Update<'a> {
    path: Path,
    state: &'a mut AdamW,
    gradients: &'a mut Gradients,
    factors: HashMap<&'a str, f64>,
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
        let gradient = tracked.grad_remove(self.gradients);
        let value = tracked.inner();
        let factor = self.factors.get(name.as_str()).copied().unwrap_or(1.0);
        let gradient = match gradient {
            Some(gradient) if factor < 1.0 => gradient * factor,
            Some(gradient) => gradient,
            None => value.zeros_like(),
        };
        let value = self.update(name, value, gradient);
        Param::from_mapped_value(id, Tensor::from_inner(value).require_grad(), mapper)
    }
}

impl Update<'_> {
    /// PyTorch's AdamW for one parameter. Vectors (biases and norms) are not decayed; everything else is, the tokens
    /// and the position embeddings included.
    fn update<const D: usize>(&mut self, name: String, value: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let OptimConfig { beta1, beta2, eps, .. } = *self.config;
        let lr = self.now.lr;
        let shape = value.dims();
        let gradient: Tensor<1> = gradient.flatten(0, D - 1);
        let old = self.state.moments.remove(&name);
        let updates = old.as_ref().map_or(0, |moments| moments.updates) + 1;
        let scaled = gradient.clone() * (1.0 - beta1);
        let squared = gradient.square() * (1.0 - beta2);
        let (first, second) = match old {
            Some(Moments { first, second, .. }) => (first * beta1 + scaled, second * beta2 + squared),
            None => (scaled, squared),
        };
        let correction = |beta: f64| 1.0 - beta.powi(updates.min(i32::MAX as u64) as i32);
        let denominator = second.clone().sqrt() / correction(beta2).sqrt() + eps;
        let change = (first.clone() / denominator * (lr / correction(beta1))).reshape(shape);
        self.state.moments.insert(name, Moments { first, second, updates });
        let decay = if D > 1 { self.now.weight_decay } else { 0.0 };
        value * (1.0 - lr * decay) - change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norms() -> GradientNorms {
        GradientNorms(vec![("a".into(), 3.0), ("b".into(), 4.0)])
    }

    #[test]
    fn clipping_by_tensor_and_by_total() {
        let by_tensor = OptimConfig { clip_grad: 3.5, ..OptimConfig::default() };
        let norms = norms();
        let factors = norms.clip_factors(&by_tensor);
        assert_eq!(factors["a"], 1.0);
        assert!((factors["b"] - 3.5 / 4.000001).abs() < 1e-12);
        let by_total = OptimConfig { clip_by: ClipBy::Global, clip_grad: 2.5, ..OptimConfig::default() };
        let factors = norms.clip_factors(&by_total);
        assert!((factors["a"] - 2.5 / 5.000001).abs() < 1e-12);
        assert_eq!(factors["a"], factors["b"]);
        let off = OptimConfig { clip_grad: 0.0, ..OptimConfig::default() };
        assert!(norms.clip_factors(&off).values().all(|f| *f == 1.0));
    }

    #[test]
    fn non_finite_gradients_are_named() {
        let norms = GradientNorms(vec![("a".into(), 1.0), ("b".into(), f64::NAN), ("c".into(), f64::INFINITY)]);
        assert_eq!(norms.non_finite(), ["b", "c"]);
        assert!(!norms.total().is_finite());
    }
}
