//! Fine-tuning: a backbone and a classifier learn from labels (rows 5, 6 and 8 of the paper).
//!
//! [`step()`] is the algorithm; read `step.rs` first.

mod batch;
pub mod config;
mod layers;
pub mod lora;
pub mod loss;
pub mod mix;
mod network;
mod pass;
pub mod repeated;
mod report;
mod schedule;
mod state;
mod step;

pub use batch::{Batch, HostBatch};
pub use layers::Layers;
pub use network::{ClassifierNetwork, Readout};
pub use pass::Pass;
pub use report::StepReport;
pub use schedule::{Schedules, StepValues};
pub use state::FinetuneState;
pub use step::step;
