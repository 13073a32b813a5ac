//! iBOT pre-training: masks, losses, the optimisation step and the state that it changes.

pub mod config;
mod ema;
pub mod flops;
pub mod loss;
pub mod masking;
mod pass;
mod recompute;
mod snapshot;
mod step;

pub use ema::update_teacher;
pub use pass::{Pass, StepReport};
pub use recompute::Activations;
pub use snapshot::{Snapshot, Updates};
pub use step::{
    Batch, Objective, Prediction, Target, TrainState, apply, predict, teach, train_step,
};
