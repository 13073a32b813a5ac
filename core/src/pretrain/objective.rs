//! The objective of iBOT (paper equation 3): the weighted sum of its losses, and of KoLeo and Gram
//! anchoring where they are asked for.

use burn::tensor::Tensor;

use crate::pretrain::batch::Batch;
use crate::pretrain::forward::Prediction;
use crate::pretrain::gram::gram_loss;
use crate::pretrain::koleo::koleo_loss;
use crate::pretrain::loss::{LossConfig, cls_loss, patch_loss, patch_weights};
use crate::pretrain::targets::Targets;

/// The losses of a batch: tensors `[1]` on the device, numbers on the host.
///
/// Each is a mean over images. KoLeo compares the images of a micro-batch, as DINOv2's compares those
/// of one GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Losses<T> {
    /// `lambda1 * cls + lambda2 * patch + koleo_loss_weight * koleo + gram_loss_weight * gram`, which
    /// is differentiated.
    pub total: T,
    /// Cross-view loss of the CLS token.
    pub cls: T,
    /// Masked-patch loss, with that of visible patches where they have a weight.
    pub patch: T,
    /// KoLeo; 0 where its weight is.
    pub koleo: T,
    /// Gram anchoring; 0 where its weight is, and before its first epoch.
    pub gram: T,
}

impl Losses<Tensor<1>> {
    /// The losses between what the student predicts and the teacher's targets, and between its
    /// patches and those of the anchor, `[globals * B, N, D]`, if there is one.
    pub fn between(
        prediction: &Prediction,
        targets: &Targets,
        anchor: Option<Tensor<3>>,
        batch: &Batch,
        config: &LossConfig,
    ) -> Self {
        let cls = cls_loss(
            prediction.cls.clone(),
            // From here on a constant of the student's graph.
            Tensor::from_inner(targets.cls.clone()),
            batch.globals_number(),
            config.student_temp,
        );

        let patch = match (&prediction.patch, &targets.patch) {
            (Some(prediction), Some(targets)) => {
                let visible = config.visible_patch_weight;
                let weights = patch_weights(&batch.masks, visible, &prediction.device());
                let targets = Tensor::from_inner(targets.clone());
                patch_loss(prediction.clone(), targets, weights, config.student_temp)
            }
            // No patch is predicted. The official code divides 0 by a count clamped to 1.
            _ => cls.zeros_like(),
        };

        let mut total = cls.clone() * config.lambda1 + patch.clone() * config.lambda2;
        let mut koleo = cls.zeros_like();
        if config.koleo_loss_weight > 0.0 {
            koleo = koleo_loss(prediction.global_tokens.clone(), batch.globals_number());
            total = total + koleo.clone() * config.koleo_loss_weight;
        }
        let mut gram = cls.zeros_like();
        if let (Some(tokens), Some(anchor)) = (&prediction.patch_tokens, anchor) {
            gram = gram_loss(tokens.clone(), Tensor::from_inner(anchor));
            total = total + gram.clone() * config.gram_loss_weight;
        }

        Self {
            total,
            cls,
            patch,
            koleo,
            gram,
        }
    }
}

impl<T> Losses<T> {
    /// Applies `f` to each loss, always in the same order.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Losses<U> {
        Losses {
            total: f(self.total),
            cls: f(self.cls),
            patch: f(self.patch),
            koleo: f(self.koleo),
            gram: f(self.gram),
        }
    }

    /// Combines each loss with the other's.
    pub fn zip<U, V>(self, other: Losses<U>, mut f: impl FnMut(T, U) -> V) -> Losses<V> {
        Losses {
            total: f(self.total, other.total),
            cls: f(self.cls, other.cls),
            patch: f(self.patch, other.patch),
            koleo: f(self.koleo, other.koleo),
            gram: f(self.gram, other.gram),
        }
    }
}
