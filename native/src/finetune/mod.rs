//! `ibot finetune`: a backbone and a classifier that learn from labels, as something that a run
//! trains.

pub mod charts;
mod engine;
mod job;
mod learner;
mod plan;
mod preview;
mod samples;

pub use self::job::FinetuneJob;

use crate::settings::SettingsOf;
use ibot_core::finetune::config::FinetuneConfig;

/// The settings of a run of fine-tuning.
pub type FinetuneSettings = SettingsOf<FinetuneConfig>;
