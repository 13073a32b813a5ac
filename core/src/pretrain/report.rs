//! What the host reads of a step.

use burn::tensor::{ExecutionError, Tensor, Transaction};

use crate::optim::{GradientNorms, LossScale};
use crate::pretrain::monitor::Monitor;
use crate::pretrain::objective::Losses;
use crate::pretrain::pass::Pass;

/// What a step computed, read back to the host.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// The losses.
    pub losses: Losses<f64>,
    /// Gradient norms before clipping.
    pub norms: GradientNorms,
    /// Whether the update was applied. It is not when the loss or a gradient is not finite.
    pub applied: bool,
    /// The scale at which the loss was differentiated; `Some` only in f16.
    pub loss_scale: Option<LossScale>,
    /// What a run watches.
    pub monitor: Monitor<f64>,
    /// The teacher's most likely prototype for each global crop.
    pub prototypes: Vec<u32>,
}

impl StepReport {
    /// Reads a pass over a whole batch in one transfer.
    pub(super) async fn read(
        pass: &Pass,
        loss_scale: Option<LossScale>,
    ) -> Result<Self, ExecutionError> {
        // Every transfer waits for the device, so all scalars travel in one tensor.
        let mut scalars: Vec<Tensor<1>> = Vec::new();
        let losses = pass.losses.clone().map(|loss| scalars.push(loss));
        let monitor = pass.monitor.clone().map(|value| scalars.push(value));
        scalars.extend(pass.gradients.squared_norms());

        let data = Transaction::default()
            .register(Tensor::cat(scalars, 0))
            .register(pass.prototypes.clone())
            .execute_async()
            .await?;
        // A transaction returns one entry for each registered tensor.
        let [scalars, prototypes] = &data[..] else {
            unreachable!("two tensors were registered")
        };

        // In the order in which they were pushed.
        let mut values = scalars.iter::<f64>();
        let losses = losses.map(|()| values.next().unwrap_or(f64::NAN));
        let monitor = monitor.map(|()| values.next().unwrap_or(f64::NAN));
        let norms = pass.gradients.norms(&values.collect::<Vec<_>>());

        Ok(Self {
            applied: losses.total.is_finite() && norms.total().is_finite(),
            losses,
            norms,
            loss_scale,
            monitor,
            prototypes: prototypes.iter::<u32>().collect(),
        })
    }

    /// Whether gradients were not finite because of the loss scale, as happens in f16 now and then:
    /// the next step has a smaller one. What fails without a scale has another reason.
    pub fn overflowed(&self) -> bool {
        !self.applied
            && self.losses.total.is_finite()
            // A scale of 1 or less explains no overflow.
            && self.loss_scale.is_some_and(|scale| scale.factor() > 1.0)
    }
}
