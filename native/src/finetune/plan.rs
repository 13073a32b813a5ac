//! What a run of fine-tuning will do: computed from its settings, its data and the weights that it
//! starts from.

use ibot_core::finetune::FinetuneSchedules;
use ibot_core::model::BackboneConfig;

use crate::data::Dataset;
use crate::run::batches::{WrongBatch, epoch_note, steps_per_epoch, worker_note};
use crate::run::checkpoint::Identity;
use crate::run::plan::RunPlan;
use crate::settings::FinetuneSettings;

/// A run, resolved.
#[derive(Clone, Debug)]
pub struct FinetunePlan {
    pub settings: FinetuneSettings,
    /// The network without its classifier.
    pub backbone: BackboneConfig,
    pub classes: Vec<String>,
    /// Workers that compute each step together.
    pub workers: usize,
    pub schedules: FinetuneSchedules,
    /// What follows from the settings.
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

impl FinetunePlan {
    /// Plans a run in which `backbone` learns the classes of `data`.
    pub fn new(
        settings: FinetuneSettings,
        backbone: BackboneConfig,
        data: &Dataset,
        workers: usize,
    ) -> Result<Self, WrongBatch> {
        let batch = settings.config.optim.batch_size;
        let steps_per_epoch = steps_per_epoch(data.len(), batch, workers)?;
        let schedules = FinetuneSchedules::new(&settings.config, steps_per_epoch);
        let classes = data.classes().to_vec();
        let mut notes = notes(&settings, &backbone, data, &schedules);
        notes.extend(worker_note(batch, workers));
        let warnings = warnings(&settings);
        Ok(Self {
            settings,
            backbone,
            classes,
            workers,
            schedules,
            notes,
            warnings,
        })
    }

    /// The part of the plan that any run has, over `images` images.
    pub fn run_plan(&self, images: usize) -> RunPlan {
        let settings = &self.settings;
        let identity = Identity {
            seed: settings.run.seed,
            images,
            workers: self.workers,
        };
        let backbone = self.backbone.clone();
        let steps_per_epoch = self.schedules.steps_per_epoch();
        let total_steps = self.schedules.total_steps();
        RunPlan::new(settings, backbone, steps_per_epoch, total_steps, identity)
    }
}

fn notes(
    settings: &FinetuneSettings,
    backbone: &BackboneConfig,
    data: &Dataset,
    schedules: &FinetuneSchedules,
) -> Vec<String> {
    let config = &settings.config;
    let optim = &config.optim;
    let size = config.model.image_size;
    let mut notes = vec![
        format!(
            "{backbone}; {} classes, at {size} x {size} pixels",
            data.classes().len()
        ),
        epoch_note(
            optim.epochs,
            schedules.steps_per_epoch(),
            optim.batch_size,
            data.len(),
        ),
        format!(
            "learning rate: {:e} at the peak, {:e} at the end; {} of it in each layer below",
            optim.lr, optim.min_lr, optim.layer_decay
        ),
    ];
    if optim.warmup_epochs > optim.epochs {
        notes.push(format!(
            "optim.warmup_epochs = {} is more than the {} epochs of the run: the learning rate rises until the end",
            optim.warmup_epochs, optim.epochs
        ));
    }
    notes
}

fn warnings(settings: &FinetuneSettings) -> Vec<String> {
    let batch = settings.config.optim.batch_size;
    let intended = settings.intended_batch;
    let mut warnings = Vec::new();
    if batch * 4 <= intended {
        warnings.push(format!(
            "optim.lr = {:e} was chosen for batches of {intended} images, and it is not scaled: think of a lower one for {batch}",
            settings.config.optim.lr
        ));
    }
    warnings
}
