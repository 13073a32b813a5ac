//! What a run does, whatever it trains.

use ibot_core::model::BackboneConfig;
use ibot_core::weights::ModelHeader;

use super::checkpoint::Identity;
use crate::eval::ScheduledEval;
use crate::settings::{RunSettings, SettingsOf, TrainConfig};

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
    /// The plan of a run with `settings` on `backbone`, whose epochs have `steps_per_epoch` of its
    /// `total_steps`.
    pub fn new<C: TrainConfig>(
        settings: &SettingsOf<C>,
        backbone: BackboneConfig,
        steps_per_epoch: usize,
        total_steps: usize,
        identity: Identity,
    ) -> Self {
        Self {
            settings: settings.run.clone(),
            evals: settings.eval.clone(),
            eval_size: settings.config.eval_size(),
            batch_size: settings.config.batch_size(),
            steps_per_epoch,
            total_steps,
            identity,
            model: ModelHeader {
                backbone,
                eval_resize: settings.eval_resize(),
                step: 0,
            },
        }
    }

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
