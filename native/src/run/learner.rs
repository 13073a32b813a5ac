//! What a run trains.

use std::time::Duration;

use anyhow::Result;
use ibot_core::model::{Backbone, Head};
use ibot_core::pretrain::Snapshot;

use super::curves::ChartSpec;
use super::means::Means;
use super::report::Report;
use super::run_dir::RunDir;
use crate::data::Dataset;
use crate::exchange::Stop;

/// Something that learns in steps, whose whole state is named tensors.
pub trait Learner {
    /// What a person can try if too many steps are not finite.
    const DIVERGED_ADVICE: &'static str;

    /// Takes step number `step`, counted from 0, together with the other workers. `stop` is this
    /// worker's reason to stop before it; one worker's reason stops all.
    fn step(
        &mut self,
        step: usize,
        stop: Option<Stop>,
        warn: &mut dyn FnMut(&str),
    ) -> Result<StepOutcome>;

    /// Reads the whole state from the device.
    ///
    /// # Errors
    /// If the device fails, or has failed in the middle of an update.
    fn snapshot(&self) -> Result<Snapshot>;

    /// The network that is evaluated and that others use.
    fn backbone(&self) -> &Backbone;

    /// The projection head of that network, if it has one.
    fn head(&self) -> Option<&Head>;

    /// Draws what the learner makes of a few images, before the first step.
    fn preview(&self, data: &Dataset, dir: &RunDir) -> Result<()>;

    /// The losses of a few steps in a few words, for the line of progress.
    fn summary(means: &Means) -> String;

    /// Checks the means of an epoch and returns warnings.
    fn inspect(&mut self, epoch: &Means) -> Vec<String>;

    /// The charts of a run, beside those of evaluations and of speed.
    fn charts(&self) -> Vec<ChartSpec>;
}

pub enum StepOutcome {
    Done {
        /// What all workers together computed.
        report: Report,
        /// How long this worker waited for its images.
        waited: Duration,
    },
    /// The run stops before the step.
    Stopped(Stop),
}
