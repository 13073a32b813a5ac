//! Sinkhorn-Knopp targets (Cuturi 2013; SwAV, arXiv 2006.09882; DINOv2, arXiv 2304.07193): the
//! teacher's distributions over a whole batch, balanced so that every prototype takes as much of it.
//!
//! The original turns a matrix Q of samples and prototypes, at first `exp(logits / temperature)`,
//! into targets: in each iteration it divides every prototype by its sum over all samples, then
//! every sample by its sum over all prototypes. Its last division makes each sample a softmax, so
//! all that the iterations find out is one factor for each prototype: the targets are
//! `softmax((logits - center) / temperature)` with another center than the moving mean. Between
//! micro-batches and workers only the sums of the prototypes travel.

use burn::tensor::Tensor;

use crate::pretrain::engine::Engine;
use crate::pretrain::loss::LossConfig;
use crate::pretrain::schedule::StepValues;
use crate::pretrain::targets::{Centers, TeacherLogits, distribution};

/// Largest exponent whose sum over a batch is finite in 32 bits. The original overflows beyond it.
const LARGEST: f32 = 80.0;

/// The centers that make the targets of a batch its Sinkhorn-Knopp assignment, CLS tokens and
/// patches each among themselves.
///
/// - `logits`: those of this worker's micro-batches.
/// - `like`: centers of as many prototypes.
///
/// # Errors
/// If the engine has no sum over all workers.
pub fn balance<E: Engine>(
    logits: &[&TeacherLogits],
    like: &Centers,
    now: &StepValues,
    config: &LossConfig,
    engine: &E,
) -> Result<Centers, E::Error> {
    let mut cls = Balance::new(like.cls.zeros_like(), now.teacher_temp);
    let mut patch = Balance::new(like.patch.zeros_like(), now.teacher_patch_temp);

    for _ in 0..config.sinkhorn_iterations {
        let mut cls_sum = like.cls.zeros_like();
        let mut patch_sum = like.patch.zeros_like();
        for logits in logits {
            cls_sum = cls_sum + cls.sum(logits.cls.clone());
            if let Some(logits) = &logits.patch {
                patch_sum = patch_sum + patch.sum(logits.clone());
            }
        }

        // Both in one, because workers wait for each other at every sum.
        let (count, patch_count) = (cls_sum.dims()[1], patch_sum.dims()[1]);
        let sums = engine.sum(Tensor::cat(vec![cls_sum, patch_sum], 1))?;
        cls.divide_by(sums.clone().narrow(1, 0, count));
        patch.divide_by(sums.narrow(1, count, patch_count));
    }

    Ok(Centers {
        cls: cls.center,
        patch: patch.center,
    })
}

/// One set of prototypes in the course of the iterations.
struct Balance {
    /// `temperature * ln` of all that each prototype was divided by, `[1, K]`.
    center: Tensor<2>,
    temperature: f64,
    /// Whether samples were divided too, as they are from the first iteration on.
    begun: bool,
}

impl Balance {
    fn new(center: Tensor<2>, temperature: f64) -> Self {
        Self {
            center,
            temperature,
            begun: false,
        }
    }

    /// Sum of each prototype over the samples of the given logits `[M, K]`: `[1, K]`.
    fn sum(&self, logits: Tensor<2>) -> Tensor<2> {
        let matrix = if self.begun {
            distribution(logits, self.center.clone(), self.temperature)
        } else {
            let exponents = logits / self.temperature;
            exponents.clamp(-LARGEST, LARGEST).exp()
        };
        matrix.sum_dim(0)
    }

    /// Divides each prototype by its sum over all samples, and then every sample by its own.
    fn divide_by(&mut self, sums: Tensor<2>) {
        // A prototype that no sample reaches has a sum of 0 in 32 bits.
        let change = sums.clamp_min(f32::MIN_POSITIVE).log() * self.temperature;
        self.center = self.center.clone() + change;
        self.begun = true;
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use serde::Deserialize;

    use super::*;
    use crate::pretrain::config::Config;
    use crate::pretrain::engine::Sequential;
    use crate::pretrain::schedule::Schedules;
    use crate::testing::{max_difference, test};

    const FIXTURE: &str = include_str!("../../../tests/fixtures/pretrain/sinkhorn.json");

    /// What lightly computes from logits of all samples at once.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        prototypes: usize,
        temperature: f64,
        iterations: usize,
        logits: Vec<f32>,
        targets: Vec<f32>,
    }

    impl Case {
        fn logits(&self) -> Tensor<2> {
            let rows = self.logits.len() / self.prototypes;
            let data = TensorData::new(self.logits.clone(), [rows, self.prototypes]);
            Tensor::from_data(data, &Device::flex())
        }

        /// Targets of these logits as CLS tokens and as patches, cut into micro-batches of `rows`
        /// samples.
        fn targets(&self, rows: usize) -> [Vec<Tensor<2>>; 2] {
            let mut parts = Vec::new();
            for logits in self.logits().split(rows, 0) {
                parts.push(TeacherLogits {
                    cls: logits.clone(),
                    patch: Some(logits),
                });
            }
            let config = LossConfig {
                sinkhorn_iterations: self.iterations,
                ..LossConfig::default()
            };
            let now = StepValues {
                teacher_temp: self.temperature,
                teacher_patch_temp: self.temperature,
                ..Schedules::new(&Config::miniature(), 10).at(0)
            };
            let like = Centers::zeros(self.prototypes, self.prototypes, &Device::flex());
            let logits: Vec<&TeacherLogits> = parts.iter().collect();
            let centers = balance(&logits, &like, &now, &config, &Sequential);
            let centers = centers.expect("the CPU works");

            let (mut cls, mut patch) = (Vec::new(), Vec::new());
            for part in parts {
                let targets = centers.targets(part, &now);
                cls.push(targets.cls);
                patch.extend(targets.patch);
            }
            [cls, patch]
        }
    }

    #[test]
    fn targets_are_those_of_the_reference_however_the_batch_is_cut() {
        let cases: Vec<Case> = serde_json::from_str(FIXTURE).expect("the fixture");
        assert_eq!(cases.len(), 4);
        for case in cases {
            let shape = case.logits().dims();
            let expected = TensorData::new(case.targets.clone(), shape);
            let expected = Tensor::from_data(expected, &Device::flex());
            for rows in [1, 3, 100] {
                for parts in case.targets(rows) {
                    let difference = max_difference(&Tensor::cat(parts, 0), &expected);
                    assert!(difference < 1e-5, "{}: {difference}", case.name);
                }
            }
        }
    }

    #[test]
    fn logits_out_of_the_range_of_exponentials_give_finite_targets() {
        let case = Case {
            name: String::new(),
            prototypes: 3,
            temperature: 0.04,
            iterations: 3,
            logits: vec![9.0, -9.0, 0.0, 9.0, -9.0, 0.5],
            targets: Vec::new(),
        };
        let [cls, _] = case.targets(1);
        for row in cls {
            let sum: f32 = row.sum().into_scalar();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
    }
}
