//! Fine-tuning: a backbone and a classifier learn from labels (rows 5, 6 and 8 of the paper).
//!
//! [`step()`] is the algorithm; read `step.rs` first.

mod batch;
pub mod config;
mod layer_rates;
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

pub use batch::{HostLabelledBatch, LabelledBatch};
pub use layer_rates::LayerRates;
pub use network::{ClassifierNetwork, TokenReadout};
pub use pass::ClassifierPass;
pub use report::FinetuneReport;
pub use schedule::{FinetuneSchedules, FinetuneValues};
pub use state::FinetuneState;
pub use step::step;
