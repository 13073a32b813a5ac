//! Training: the optimisation step, what it updates, and how that is kept.

mod ema;
mod gradients;
mod loss_scale;
mod optimizer;
mod pass;
mod recompute;
mod snapshot;
mod step;

pub use ema::update_teacher;
pub use gradients::{GradientNorms, NamedGradients};
pub use loss_scale::LossScale;
pub use optimizer::AdamW;
pub use pass::{Pass, StepReport};
pub use recompute::Activations;
pub use snapshot::{Snapshot, Updates};
pub use step::{
    Batch, Objective, Prediction, Target, TrainState, apply, predict, teach, train_step,
};
