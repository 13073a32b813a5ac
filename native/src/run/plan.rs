//! What a run does, whatever it trains.

use ibot_core::weights::ModelHeader;

use super::checkpoint::Identity;
use crate::eval::ScheduledEval;
use crate::settings::RunSettings;

/// The part of a plan that the loop follows.
#[derive(Clone, Debug)]
pub struct RunPlan {
    pub settings: RunSettings,
    pub evals: Vec<ScheduledEval>,
    /// Side of the images of an evaluation, unless its settings say otherwise.
    pub eval_size: usize,
    pub batch_size: usize,
    pub steps_per_epoch: usize,
    pub total_steps: usize,
    pub identity: Identity,
    /// What files say about the network.
    pub model: ModelHeader,
}

impl RunPlan {
    /// What files say about the network after `step` steps.
    pub fn model_after(&self, step: usize) -> ModelHeader {
        ModelHeader {
            step,
            ..self.model.clone()
        }
    }

    /// Epochs done after `step` steps.
    pub fn epochs_after(&self, step: usize) -> usize {
        step / self.steps_per_epoch
    }
}
