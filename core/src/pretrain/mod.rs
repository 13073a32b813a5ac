//! iBOT pre-training: masks, losses, the optimisation step and the state that it changes.
//!
//! [`step()`] is the algorithm; read `step.rs` first.

mod backward;
mod batch;
mod centering;
pub mod config;
mod ema;
mod engine;
pub mod flops;
mod forward;
mod gram;
mod koleo;
pub mod loss;
pub mod masking;
mod micro_batch;
mod monitor;
mod objective;
mod pass;
mod recompute;
mod report;
mod schedule;
mod sinkhorn;
pub(crate) mod snapshot;
mod state;
mod step;
mod strata;
mod targets;

pub(crate) use backward::backward;
pub use batch::{Batch, HostBatch};
pub use centering::{CenterFrom, Centering};
pub use ema::update_teacher;
pub use engine::{Engine, Lane, Phase, Sequential, fork};
pub use gram::gram_loss;
pub use koleo::koleo_loss;
pub use monitor::Monitor;
pub use objective::Losses;
pub use pass::Pass;
pub use recompute::Activations;
pub use report::StepReport;
pub use schedule::{Schedules, StepValues, learning_rate};
pub use snapshot::{Snapshot, Updates};
pub use state::TrainState;
pub use step::step;
pub use targets::{Centers, MeanLogits, distribution};
