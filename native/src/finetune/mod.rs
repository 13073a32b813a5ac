//! `ibot finetune`: a backbone and a classifier that learn from labels, as something that a run
//! trains.

pub mod charts;
mod job;
mod learner;
mod plan;
mod preview;
mod samples;
mod wire;

pub use self::job::FinetuneJob;
