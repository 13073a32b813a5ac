//! What the host reads of a step.

use burn::tensor::{ExecutionError, Tensor};

use crate::finetune::pass::ClassifierPass;
use crate::optim::{GradientNorms, LossScale};

/// What a step computed, read back to the host.
#[derive(Clone, Debug)]
pub struct FinetuneReport {
    /// Cross-entropy with the targets, in nats.
    pub loss: f64,
    /// Share of images whose most likely class is that of the largest target, before the step.
    pub accuracy: f64,
    /// Gradient norms before clipping.
    pub norms: GradientNorms,
    /// Whether the update was applied. It is not when the loss or a gradient is not finite.
    pub applied: bool,
    /// The scale at which the loss was differentiated; `Some` only in f16.
    pub loss_scale: Option<LossScale>,
}

impl FinetuneReport {
    /// Reads a pass over a whole batch in one transfer.
    pub(super) async fn read(
        pass: &ClassifierPass,
        loss_scale: Option<LossScale>,
    ) -> Result<Self, ExecutionError> {
        // Every transfer waits for the device, so all scalars travel in one tensor.
        let mut scalars = vec![pass.measured.clone()];
        scalars.extend(pass.gradients.squared_norms());
        let data = Tensor::cat(scalars, 0).into_data_async().await?;

        let values: Vec<f64> = data.iter::<f64>().collect();
        let norms = pass.gradients.norms(&values[2..]);
        Ok(Self {
            loss: values[0],
            accuracy: values[1],
            applied: values[0].is_finite() && norms.total().is_finite(),
            norms,
            loss_scale,
        })
    }

    /// Whether gradients were not finite because of the loss scale, as happens in f16 now and then:
    /// the next step has a smaller one.
    pub fn overflowed(&self) -> bool {
        !self.applied
            && self.loss.is_finite()
            // A scale of 1 or less explains no overflow.
            && self.loss_scale.is_some_and(|scale| scale.factor() > 1.0)
    }
}
