//! What any training run has, whatever it trains: the loop over steps, the folder, checkpoints,
//! records, evaluations, the display, and the agreement of several workers.
//!
//! A `Learner` is what is trained. `Leader::train` is the loop, from top to bottom.

pub mod checkpoint;
pub mod clock;
pub mod curves;
pub mod display;
pub mod ending;
pub mod evaluator;
mod event;
pub mod folder;
pub mod follower;
pub mod leader;
pub mod learner;
pub mod listeners;
pub mod means;
pub mod metrics;
pub mod not_finite;
pub mod panics;
pub mod plan;
pub mod record;
pub mod replicate;
pub mod report;
pub mod run_dir;
pub mod saver;
mod slow_data;
pub mod state;
pub mod status;
