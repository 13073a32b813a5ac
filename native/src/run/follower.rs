//! The other workers of a run: they compute their share of every step and write nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::ending::Ending;
use super::learner::{Learner, StepOutcome};
use crate::exchange::Stop;

/// Takes the steps from `step` on, up to `total_steps`.
pub fn follow(
    learner: &mut impl Learner,
    step: usize,
    total_steps: usize,
    rank: usize,
    interrupted: &AtomicBool,
) -> Result<Ending> {
    for step in step..total_steps {
        let stop = interrupted
            .load(Ordering::Relaxed)
            .then_some(Stop::Interrupted);

        let outcome = learner.step(step, stop, &mut |warning| {
            eprintln!("warning: worker {rank}: {warning}");
        })?;
        match outcome {
            StepOutcome::Done { .. } => {}
            StepOutcome::Stopped(stop) => return Ok(Ending::Stopped(stop)),
        }
    }
    Ok(Ending::Complete)
}
