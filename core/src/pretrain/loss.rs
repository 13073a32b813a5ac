//! The iBOT objective (paper equations 1 to 3): cross-view self-distillation of the CLS token and,
//! within a view, prediction of the teacher's tokens at masked patches.

use std::iter::repeat_n;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::kernels;
use crate::model::Mask;
use crate::pretrain::centering::{CenterFrom, Centering};
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
    /// Weight of [`gram_loss`](super::gram_loss) (DINOv3 takes up to 2); 0 in the paper.
    pub gram_loss_weight: f64,
    /// First epoch with that loss. The teacher at its start is the anchor.
    pub gram_start_epoch: usize,
    /// Epochs after which the teacher becomes the anchor anew; 0 keeps the first anchor.
    pub gram_update_epochs: usize,
    /// Temperature of the student.
    pub student_temp: f64,
    /// Weight of the patch loss at visible patches, beside 1 at masked ones (iBOT++ of TIPSv2 takes
    /// 1); 0 in the paper, and then they are not computed.
    pub visible_patch_weight: f64,
    /// What keeps one prototype from taking every image.
    pub centering: Centering,
    /// Iterations of Sinkhorn-Knopp.
    pub sinkhorn_iterations: usize,
    /// The patches whose mean the center of patch logits follows.
    pub center_from: CenterFrom,
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
            gram_loss_weight: 0.0,
            gram_start_epoch: 0,
            gram_update_epochs: 0,
            student_temp: 0.1,
            visible_patch_weight: 0.0,
            centering: Centering::Mean,
            sinkhorn_iterations: 3,
            center_from: CenterFrom::All,
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
        at.not_negative("gram_loss_weight", self.gram_loss_weight);
        at.positive("student_temp", self.student_temp);
        at.not_negative("visible_patch_weight", self.visible_patch_weight);
        at.within("sinkhorn_iterations", self.sinkhorn_iterations, 1..=1000);
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
/// tokens there. With visible patches it is that of iBOT++ (TIPSv2, arXiv 2604.12012).
///
/// - `student`: logits `[M, K]` of the masked patches, or of all.
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

/// Weight of every predicted patch, in order: one over the masked patches of its crop, over the
/// number of crops. A crop without a mask contributes nothing and still counts in the mean.
///
/// Where `visible` is more than 0, all patches are predicted, and a visible patch has that weight
/// over the visible patches of its crop, over the number of crops.
pub fn patch_weights(masks: &[Mask], visible: f64, device: &Device) -> Tensor<2> {
    let mut weights: Vec<f32> = Vec::new();
    for mask in masks {
        let masked = mask.count();
        let of_masked = 1.0 / (masked * masks.len()) as f32;
        if visible > 0.0 {
            let visible_count = mask.cells().len() - masked;
            let of_visible = visible as f32 / (visible_count * masks.len()) as f32;
            let weight = |cell: &bool| if *cell { of_masked } else { of_visible };
            weights.extend(mask.cells().iter().map(weight));
        } else {
            // Of an empty mask, 1 / 0 is repeated zero times.
            weights.extend(repeat_n(of_masked, masked));
        }
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
mod tests;
