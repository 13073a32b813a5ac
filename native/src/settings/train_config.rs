//! What a run trains, as settings.

use std::fmt::Debug;

use ibot_core::finetune::config::FinetuneConfig;
use ibot_core::pretrain::config::Config;
use ibot_core::problems::Problems;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::recipe;

/// The settings of what a run trains, beside those of the run itself.
pub trait TrainConfig: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned {
    /// The command that trains it.
    const COMMAND: &'static str;

    /// Recipes inside the binary: name and text.
    const RECIPES: &'static [(&'static str, &'static str)];

    fn check(&self, problems: &mut Problems);

    /// Images of a step, all workers together.
    fn batch_size(&self) -> usize;

    /// Side of the images of an evaluation, unless its settings say otherwise.
    fn eval_size(&self) -> usize;
}

impl TrainConfig for Config {
    const COMMAND: &'static str = "pretrain";

    const RECIPES: &'static [(&'static str, &'static str)] = &recipe::RECIPES;

    fn check(&self, problems: &mut Problems) {
        Config::check(self, problems);
    }

    fn batch_size(&self) -> usize {
        self.optim.batch_size
    }

    fn eval_size(&self) -> usize {
        self.crops.global_size
    }
}

impl TrainConfig for FinetuneConfig {
    const COMMAND: &'static str = "finetune";

    const RECIPES: &'static [(&'static str, &'static str)] = &recipe::FINETUNE_RECIPES;

    fn check(&self, problems: &mut Problems) {
        FinetuneConfig::check(self, problems);
    }

    fn batch_size(&self) -> usize {
        self.optim.batch_size
    }

    fn eval_size(&self) -> usize {
        self.model.image_size
    }
}
