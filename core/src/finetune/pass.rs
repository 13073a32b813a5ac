//! What forward and backward on some images of a batch give.

use burn::tensor::Tensor;

use crate::optim::NamedGradients;

/// Forward and backward on some images of a batch. Every value is a mean over these images, so
/// passes over parts of a batch [join](Self::join) to the pass over the whole.
pub struct ClassifierPass {
    /// Number of images.
    pub images: usize,
    /// The gradients of the loss.
    pub gradients: NamedGradients,
    /// The loss and the accuracy, `[2]`: the share of images whose largest logit is that of the
    /// largest target.
    pub measured: Tensor<1>,
}

impl ClassifierPass {
    /// The pass over all images of `passes`, of which there must be at least one.
    pub fn join(mut passes: Vec<Self>) -> Self {
        // A weight of 1 would cost an operation on every gradient.
        if passes.len() == 1 {
            return passes.remove(0);
        }
        let images: usize = passes.iter().map(|pass| pass.images).sum();
        let weighted = passes.into_iter().map(|pass| {
            let share = pass.share(images);
            Self {
                images: pass.images,
                gradients: pass.gradients.scaled(share),
                measured: pass.measured * share,
            }
        });
        weighted.reduce(Self::plus).expect("a batch has images")
    }

    /// The weight of this pass in the pass over a batch of `batch` images.
    pub fn share(&self, batch: usize) -> f64 {
        self.images as f64 / batch as f64
    }

    fn plus(mut self, other: Self) -> Self {
        self.gradients.add(other.gradients);
        Self {
            images: self.images + other.images,
            gradients: self.gradients,
            measured: self.measured + other.measured,
        }
    }
}
