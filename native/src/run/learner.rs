//! What a run trains.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ibot_core::model::{Backbone, Head};
use ibot_core::pretrain::Snapshot;
use ibot_core::weights::ModelHeader;

use super::curves::ChartSpec;
use super::means::Means;
use super::report::Report;
use super::run_dir::RunDir;
use crate::data::Dataset;
use crate::exchange::Stop;
use crate::linear_head::LinearHeads;

/// Something that learns in steps, whose whole state is named tensors.
pub trait Learner {
    /// The file in the run's folder that others use, and what it holds, in a word.
    const PRODUCT: (&'static str, &'static str);

    /// The measure of an evaluation by which the best epoch is kept, if any is: the evaluation and
    /// its measure, of which more is better.
    const BEST_BY: Option<(&'static str, &'static str)> = None;

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
    fn snapshot(&self) -> Result<Snapshot>;

    /// The network that is evaluated and that others use, outside autodiff.
    fn evaluated(&self) -> Backbone;

    /// The projection head of that network, if it has one.
    fn head(&self) -> Option<&Head> {
        None
    }

    /// The classifier on that network, if it has one. `model` is what files say about the network.
    fn linear_heads(&self, _model: &ModelHeader) -> Result<Option<LinearHeads>> {
        Ok(None)
    }

    /// Writes the file that others use to `path`.
    fn publish(&self, path: &Path, model: &ModelHeader) -> Result<()>;

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
