//! Gradients by official parameter name: what is clipped, averaged over shards and applied.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Gradients, Tensor};

use crate::optim::clip::{Clip, ClipBy};
use crate::weights::{self, Weights, WeightsError, map_named, visit_named};

/// Flattened gradients by official parameter name. A parameter that the loss does not reach has
/// none.
#[derive(Clone, Debug, Default)]
pub struct NamedGradients(pub BTreeMap<String, Tensor<1>>);

impl NamedGradients {
    /// Takes the gradients of `module`'s parameters out of what a backward pass gave.
    pub fn of<M: Module>(module: &M, gradients: Gradients) -> Self {
        let mut gradients = gradients;
        let mut named = BTreeMap::new();
        visit_named(module, |parameter, value| {
            if let Some(gradient) = value.take_gradient(&mut gradients) {
                named.insert(parameter.name, gradient);
            }
        });
        Self(named)
    }

    /// These gradients and zeros for the other trainable parameters of `module`.
    pub fn complete<M: Module>(mut self, module: &M) -> Self {
        visit_named(module, |parameter, value| {
            if parameter.trainable {
                // To the optimiser the same as none, and every worker's gradients have the same
                // names.
                let zeros = || value.flat().zeros_like();
                self.0.entry(parameter.name).or_insert_with(zeros);
            }
        });
        self
    }

    pub(crate) fn add(&mut self, others: Self) {
        for (name, gradient) in others.0 {
            let sum = match self.0.remove(&name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.0.insert(name, sum);
        }
    }

    pub(crate) fn scaled(self, factor: f64) -> Self {
        let scaled = self.0.into_iter();
        Self(
            scaled
                .map(|(name, gradient)| (name, gradient * factor))
                .collect(),
        )
    }

    /// The gradients of the parameters of `module` under their official names and layouts; zeros
    /// where the loss does not reach.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn read<M: Module>(&self, module: &M) -> Result<Weights, WeightsError> {
        let gradients = map_named(module.clone(), |parameter, value| {
            let gradient = self.0.get(&parameter.name).cloned();
            gradient.unwrap_or_else(|| value.zeros_like())
        });
        weights::read(&gradients).await
    }

    /// The squared norms, `[1]` each, in the order of the names.
    pub(crate) fn squared_norms(&self) -> Vec<Tensor<1>> {
        self.0
            .values()
            .map(|gradient| gradient.clone().square().sum())
            .collect()
    }

    /// The norms, from what the host read of [`squared_norms`](Self::squared_norms).
    pub(crate) fn norms(&self, squares: &[f64]) -> GradientNorms {
        // A BTreeMap gives its values and its keys in the same order.
        let norms = squares.iter().map(|square| square.sqrt());
        GradientNorms(self.0.keys().cloned().zip(norms).collect())
    }
}

/// Norms of the gradients before clipping, by official parameter name.
#[derive(Clone, Debug, Default)]
pub struct GradientNorms(pub Vec<(String, f64)>);

impl GradientNorms {
    /// The norm of all gradients together.
    pub fn total(&self) -> f64 {
        self.0
            .iter()
            .map(|(_, norm)| norm * norm)
            .sum::<f64>()
            .sqrt()
    }

    /// Names of the parameters whose gradient is not finite.
    pub fn non_finite(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|(_, norm)| !norm.is_finite())
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The factor of every gradient that brings the norms below the largest one.
    pub(crate) fn clip_factors(&self, clip: Clip) -> BTreeMap<&str, f64> {
        let total = clip.factor(self.total());

        let mut factors = BTreeMap::new();
        for (name, norm) in &self.0 {
            let factor = match clip.by {
                ClipBy::Tensor => clip.factor(*norm),
                ClipBy::Global => total,
            };
            factors.insert(name.as_str(), factor);
        }
        factors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn norms() -> GradientNorms {
        GradientNorms(vec![("a".into(), 3.0), ("b".into(), 4.0)])
    }

    #[test]
    fn clipping_by_tensor_and_by_total() {
        let norms = norms();
        let clip = |max_norm, by| norms.clip_factors(Clip { max_norm, by });

        let factors = clip(3.5, ClipBy::Tensor);
        assert_eq!(factors["a"], 1.0);
        assert!((factors["b"] - 3.5 / 4.000001).abs() < 1e-12);

        let factors = clip(2.5, ClipBy::Global);
        assert!((factors["a"] - 2.5 / 5.000001).abs() < 1e-12);
        assert_eq!(factors["a"], factors["b"]);

        assert!(clip(0.0, ClipBy::Tensor).values().all(|f| *f == 1.0));
    }

    #[test]
    fn non_finite_gradients_are_named() {
        let norms = GradientNorms(vec![
            ("a".into(), 1.0),
            ("b".into(), f64::NAN),
            ("c".into(), f64::INFINITY),
        ]);
        assert_eq!(norms.non_finite(), ["b", "c"]);
        assert!(!norms.total().is_finite());
    }
}
