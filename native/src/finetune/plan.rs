//! What a run of fine-tuning will do: computed from its settings, its data and the weights that it
//! starts from.

use std::fmt::Write as _;

use ibot_core::finetune::FinetuneSchedules;
use ibot_core::model::BackboneConfig;
use ibot_core::weights::ModelHeader;

use crate::data::Dataset;
use crate::run::batches::{WrongBatch, steps_per_epoch};
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
        let notes = notes(&settings, &backbone, data, &schedules);
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
        let FinetuneSettings {
            config, run, eval, ..
        } = &self.settings;
        RunPlan {
            settings: run.clone(),
            evals: eval.clone(),
            eval_size: config.model.image_size,
            batch_size: config.optim.batch_size,
            steps_per_epoch: self.schedules.steps_per_epoch(),
            total_steps: self.schedules.total_steps(),
            identity: Identity {
                seed: run.seed,
                images,
                workers: self.workers,
            },
            model: ModelHeader {
                backbone: self.backbone.clone(),
                eval_resize: self.settings.eval_resize(),
                step: 0,
            },
        }
    }

    /// A number that two workers share only if they compute the same steps over as many images.
    pub fn fingerprint(&self, images: usize) -> u32 {
        let run = &self.settings.run;
        // Without settings that may differ between workers, such as their threads. Plain structs
        // always have a TOML form.
        let mut identity = toml::to_string(&self.settings.config).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(identity, "run.seed = {}", run.seed);
        let _ = writeln!(identity, "run.exchange_f16 = {}", run.exchange_f16);
        let _ = writeln!(identity, "images = {images}");
        let _ = writeln!(identity, "classes = {:?}", self.classes);
        crc32fast::hash(identity.as_bytes())
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
    let batch = optim.batch_size;
    let mut notes = vec![
        format!(
            "{backbone}; {} classes, at {size} x {size} pixels",
            data.classes().len()
        ),
        format!(
            "{} epochs of {} steps of {batch} images: {} steps; {} images an epoch are left over",
            optim.epochs,
            schedules.steps_per_epoch(),
            schedules.total_steps(),
            data.len() % batch
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
