//! The iBOT objective (paper equations 1 to 3): cross-view self-distillation of the CLS token and,
//! within a view, prediction of the teacher's tokens at masked patches.

use std::iter::repeat_n;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::kernels;
use crate::model::Mask;
use crate::problems::Problems;

/// Weights and temperatures of the losses, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the CLS loss; 0 leaves masked image modelling alone.
    pub lambda1: f64,
    /// Weight of the patch loss.
    pub lambda2: f64,
    /// Weight of [`koleo_loss`](super::koleo_loss) (DINOv2 takes 0.1); 0 in the paper.
    pub koleo_loss_weight: f64,
    /// Temperature of the student.
    pub student_temp: f64,
    /// Momentum of the center of CLS logits.
    pub center_momentum: f64,
    /// Momentum of the center of patch logits.
    pub center_momentum2: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            lambda1: 1.0,
            lambda2: 1.0,
            koleo_loss_weight: 0.0,
            student_temp: 0.1,
            center_momentum: 0.9,
            center_momentum2: 0.9,
        }
    }
}

impl LossConfig {
    pub(crate) fn check(&self, at: &mut Problems) {
        at.not_negative("lambda1", self.lambda1);
        at.not_negative("lambda2", self.lambda2);
        at.not_negative("koleo_loss_weight", self.koleo_loss_weight);
        at.positive("student_temp", self.student_temp);
        at.within("center_momentum", self.center_momentum, 0.0..=1.0);
        at.within("center_momentum2", self.center_momentum2, 0.0..=1.0);
    }
}

/// Cross-view loss of the CLS token (equation 1), the mean over all pairs of a teacher's global
/// crop and another of the student's crops.
///
/// - `student`: logits `[crops * B, K]`, crop by crop, global crops first and in the teacher's
///   order.
/// - `targets`: the teacher's distributions `[globals * B, K]`, crop by crop.
pub fn cls_loss(
    student: Tensor<2>,
    targets: Tensor<2>,
    globals: usize,
    student_temp: f64,
) -> Tensor<1> {
    let [rows, prototypes] = student.dims();
    let batch = targets.dims()[0] / globals;
    let crops = rows / batch;
    let pairs = globals * (crops - 1);

    let by_crop = targets.reshape([globals, batch, prototypes]);
    let all = by_crop.clone().sum_dim(0);
    // A pair's loss is linear in the target, so all partners of a student's crop act as one summed
    // target: every global crop but its own.
    let mut partners = vec![all.clone() - by_crop];
    if crops > globals {
        partners.push(all.expand([crops - globals, batch, prototypes]));
    }
    let partners = Tensor::cat(partners, 0).reshape([rows, prototypes]);
    kernels::cross_entropy(student, partners, student_temp).sum() / (pairs * batch) as f64
}

/// Masked-patch loss (equation 2): the student's prediction at masked patches against the teacher's
/// tokens there.
///
/// - `student`: logits `[M, K]` of the masked patches.
/// - `targets`: the teacher's distributions `[M, K]` at the same patches.
/// - `weights`: `[M, 1]`, see [`patch_weights`].
pub fn patch_loss(
    student: Tensor<2>,
    targets: Tensor<2>,
    weights: Tensor<2>,
    student_temp: f64,
) -> Tensor<1> {
    (kernels::cross_entropy(student, targets, student_temp) * weights).sum()
}

/// Weight of every masked patch, in order: one over the masked patches of its crop, over the number
/// of crops. A crop without a mask contributes nothing and still counts in the mean.
pub fn patch_weights(masks: &[Mask], device: &Device) -> Tensor<2> {
    let mut weights: Vec<f32> = Vec::new();
    for mask in masks {
        let masked = mask.count();
        // Of an empty mask, 1 / 0 is repeated zero times.
        weights.extend(repeat_n(1.0 / (masked * masks.len()) as f32, masked));
    }
    let rows = weights.len();
    Tensor::from_data(TensorData::new(weights, [rows, 1]), device)
}

/// Entropy of each of the distributions `[M, K]`, in nats, `[M, 1]`.
pub(crate) fn entropy(distributions: Tensor<2>) -> Tensor<2> {
    // 0 * log 0 would be NaN.
    (distributions.clone() * distributions.clamp_min(1e-30).log())
        .sum_dim(1)
        .neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretrain::targets::distribution;
    use crate::testing::{gradient_check, test};
    use rand::RngExt as _;

    use crate::rng::{Purpose, stream};

    fn random(rows: usize, columns: usize, seed: u64) -> Vec<f64> {
        let mut rng = stream(seed, Purpose::Init, 0, 0);
        (0..rows * columns)
            .map(|_| f64::from((2.0 * rng.random::<f32>() - 1.0) * 0.5))
            .collect()
    }

    fn tensor(values: &[f64], rows: usize, device: &Device) -> Tensor<2> {
        let columns = values.len() / rows;
        Tensor::from_data(
            TensorData::new(values.iter().map(|v| *v as f32).collect(), [rows, columns]),
            device,
        )
    }

    fn softmax(row: &[f64], temperature: f64) -> Vec<f64> {
        let exps: Vec<f64> = row.iter().map(|v| (v / temperature).exp()).collect();
        let total: f64 = exps.iter().sum();
        exps.iter().map(|e| e / total).collect()
    }

    fn entropy_between(target: &[f64], student: &[f64]) -> f64 {
        target
            .iter()
            .zip(softmax(student, 0.1))
            .map(|(t, s)| -t * s.ln())
            .sum()
    }

    /// Equation 1 as a double loop over views, in f64.
    #[test]
    fn cls_loss_is_the_mean_over_pairs() {
        let device = Device::flex();
        let (batch, globals, k) = (3, 2, 7);
        for locals in [0, 4] {
            let crops = globals + locals;
            let student = random(crops * batch, k, 1);
            let teacher = random(globals * batch, k, 2);
            let center = random(1, k, 3);

            let mut expected = 0.0;
            let mut pairs = 0;
            for q in 0..globals {
                for v in (0..crops).filter(|v| *v != q) {
                    pairs += 1;
                    for b in 0..batch {
                        let row: Vec<f64> = teacher[(q * batch + b) * k..][..k]
                            .iter()
                            .zip(&center)
                            .map(|(t, c)| t - c)
                            .collect();
                        expected += entropy_between(
                            &softmax(&row, 0.05),
                            &student[(v * batch + b) * k..][..k],
                        ) / batch as f64;
                    }
                }
            }

            let target = distribution(
                tensor(&teacher, globals * batch, &device),
                tensor(&center, 1, &device),
                0.05,
            );
            let actual: f32 = cls_loss(
                tensor(&student, crops * batch, &device),
                target,
                globals,
                0.1,
            )
            .into_scalar();
            assert!(
                (f64::from(actual) - expected / f64::from(pairs)).abs() < 1e-5,
                "{locals} local crops"
            );
        }
    }

    /// Equation 2 as the official code writes it: all patches, multiplied by the mask, a mean over
    /// crops.
    #[test]
    fn patch_loss_averages_over_crops_with_and_without_masks() {
        let device = Device::flex();
        let k = 5;
        let masks = [
            Mask::new(1, 4, vec![true, false, true, true]),
            Mask::empty(1, 4),
            Mask::new(1, 4, vec![false, true, false, false]),
        ];
        let student = random(12, k, 4);
        let teacher = random(12, k, 5);

        let mut expected = 0.0;
        let mut rows = Vec::new();
        for (crop, mask) in masks.iter().enumerate() {
            for patch in mask.patches(true) {
                let row = crop * 4 + patch;
                rows.push(row);
                expected += entropy_between(
                    &softmax(&teacher[row * k..][..k], 0.05),
                    &student[row * k..][..k],
                ) / mask.count().max(1) as f64
                    / masks.len() as f64;
            }
        }

        let pick = |values: &[f64]| {
            rows.iter()
                .flat_map(|r| values[r * k..][..k].to_vec())
                .collect::<Vec<_>>()
        };
        let target = distribution(
            tensor(&pick(&teacher), 4, &device),
            Tensor::zeros([1, k], &device),
            0.05,
        );
        let actual: f32 = patch_loss(
            tensor(&pick(&student), 4, &device),
            target,
            patch_weights(&masks, &device),
            0.1,
        )
        .into_scalar();
        assert!((f64::from(actual) - expected).abs() < 1e-5);
    }

    #[test]
    fn gradients_match_finite_differences() {
        let device = Device::flex().autodiff();
        let target = distribution(
            tensor(&random(4, 6, 6), 4, &device),
            Tensor::zeros([1, 6], &device),
            0.1,
        );
        let student = tensor(&random(10, 6, 7), 10, &device);
        gradient_check(student, |s| cls_loss(s, target.clone(), 2, 0.1), 1e-2);

        let masks = [
            Mask::new(1, 3, vec![true, true, false]),
            Mask::new(1, 3, vec![true, true, false]),
        ];
        let student = tensor(&random(4, 6, 8), 4, &device);
        gradient_check(
            student,
            |s| patch_loss(s, target.clone(), patch_weights(&masks, &device), 0.1),
            1e-2,
        );
    }
}
