//! Training: the optimisation step, what it updates, and how that is kept.

mod ema;
mod optimizer;
mod snapshot;
mod step;

pub use ema::update_teacher;
pub use optimizer::{AdamW, GradientNorms};
pub use snapshot::{Snapshot, Updates};
pub use step::{Batch, Objective, StepReport, TrainState, train_step};
