//! What any training run has, whatever it trains: the loop over steps, the folder, checkpoints,
//! records, evaluations, the display, and the agreement of several workers.
//!
//! A `Job` is what a run is told, a `Learner` what it trains. `train` begins a run, and
//! `Leader::train` is the loop, from top to bottom.

pub mod batches;
pub mod checkpoint;
pub mod clock;
pub mod curves;
pub mod devices;
pub mod display;
pub mod ending;
pub mod evaluator;
mod event;
pub mod folder;
pub mod follower;
pub mod job;
mod lead;
pub mod leader;
pub mod learner;
pub mod listeners;
pub mod means;
pub mod metrics;
pub mod not_finite;
pub mod panics;

pub mod plan;
pub mod process;
pub mod record;
pub mod replicate;
pub mod report;
pub mod run_dir;
pub mod saver;
pub mod seat;
mod slow_data;
pub mod state;
pub mod status;
pub mod supply;
pub mod threads;
pub mod train;
pub mod worker_engine;
