//! What forward and backward on some images of a batch give.

use burn::tensor::{Int, Tensor};

use crate::optim::NamedGradients;
use crate::pretrain::monitor::Monitor;
use crate::pretrain::objective::Losses;
use crate::pretrain::targets::MeanLogits;

/// Forward and backward on some images of a batch. Nothing is read or changed yet.
///
/// Every value is a mean over these images, so passes over parts of a batch
/// [join](Self::join) to the pass over the whole.
pub struct Pass {
    /// Number of images.
    pub images: usize,
    /// The gradients of the total loss.
    pub gradients: NamedGradients,
    /// The losses, `[1]` each.
    pub losses: Losses<Tensor<1>>,
    /// The teacher's mean logits, towards which the centers move.
    pub mean_logits: MeanLogits,
    /// What a run watches, `[1]` each.
    pub monitor: Monitor<Tensor<1>>,
    /// The teacher's most likely prototype for each global crop, `[globals * images, 1]`.
    pub prototypes: Tensor<2, Int>,
}

impl Pass {
    /// The pass over all images of `passes`, of which there must be at least one.
    pub fn join(mut passes: Vec<Self>) -> Self {
        // A weight of 1 would cost an operation on every gradient.
        if passes.len() == 1 {
            return passes.remove(0);
        }
        let images = passes.iter().map(|pass| pass.images).sum();
        let weighted = passes.into_iter().map(|pass| {
            let share = pass.share(images);
            pass.weighted(share)
        });
        weighted.reduce(Self::plus).expect("a batch has images")
    }

    /// The weight of this pass in the pass over a batch of `batch` images.
    pub fn share(&self, batch: usize) -> f64 {
        self.images as f64 / batch as f64
    }

    fn weighted(self, weight: f64) -> Self {
        Self {
            images: self.images,
            gradients: self.gradients.scaled(weight),
            losses: self.losses.map(|loss| loss * weight),
            mean_logits: self.mean_logits.map(|mean| mean * weight),
            monitor: self.monitor.map(|value| value * weight),
            prototypes: self.prototypes,
        }
    }

    fn plus(mut self, other: Self) -> Self {
        self.gradients.add(other.gradients);
        Self {
            images: self.images + other.images,
            gradients: self.gradients,
            losses: self.losses.zip(other.losses, |a, b| a + b),
            mean_logits: self.mean_logits.zip(other.mean_logits, |a, b| a + b),
            monitor: self.monitor.zip(other.monitor, |a, b| a + b),
            prototypes: Tensor::cat(vec![self.prototypes, other.prototypes], 0),
        }
    }
}
