//! What a run will do: computed from its settings and its data before it starts, and printed.

use ibot_core::optim::ScheduleShape;
use ibot_core::pretrain::Schedules;
use ibot_core::pretrain::config::{Config, OptimConfig};

use crate::run::batches::{WrongBatch, epoch_note, steps_per_epoch, worker_note};
use crate::run::checkpoint::Identity;
use crate::run::plan::RunPlan;
use crate::settings::Settings;

/// A run, resolved.
#[derive(Clone, Debug)]
pub struct Plan {
    pub settings: Settings,
    /// Workers that compute each step together.
    pub workers: usize,
    pub schedules: Schedules,
    /// What follows from the settings, clamps included.
    pub notes: Vec<String>,
    /// What a practitioner should think about.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Plans a run over `images` images by `workers` workers, who share each batch.
    ///
    /// # Errors
    /// If the images do not fill one batch, or a batch has fewer than there are workers.
    pub fn new(settings: Settings, images: usize, workers: usize) -> Result<Self, WrongBatch> {
        let optim = &settings.config.optim;
        let batch = optim.batch_size;
        let steps_per_epoch = steps_per_epoch(images, batch, workers)?;
        let schedules = Schedules::new(&settings.config, steps_per_epoch);
        let mut notes = notes(&settings, images, &schedules);
        let warnings = warnings(&settings, &schedules);
        notes.extend(worker_note(batch, workers));
        Ok(Self {
            settings,
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
        // Only the student sees masks, and files hold the teacher.
        let backbone = settings.config.backbone().with_mask_token(false);
        let steps_per_epoch = self.schedules.steps_per_epoch();
        let total_steps = self.schedules.total_steps();
        RunPlan::new(settings, backbone, steps_per_epoch, total_steps, identity)
    }
}

fn notes(settings: &Settings, images: usize, schedules: &Schedules) -> Vec<String> {
    let config = &settings.config;
    let mut notes = Vec::from(sizes(config));
    notes.extend(schedule_notes(&config.optim, images, schedules));

    let epochs = config.optim.epochs;
    for (key, value, effect) in [
        (
            "optim.warmup_epochs",
            config.optim.warmup_epochs,
            "the learning rate rises until the end",
        ),
        (
            "teacher.warmup_teacher_temp_epochs",
            config.teacher.warmup_teacher_temp_epochs,
            "the temperatures reach their end in the last epoch",
        ),
    ] {
        if value > epochs {
            notes.push(format!(
                "{key} = {value} is more than the {epochs} epochs of the run: {effect}"
            ));
        }
    }

    let frozen = config.optim.freeze_last_layer;
    if frozen >= epochs {
        notes.push(format!(
            "optim.freeze_last_layer = {frozen}: the prototypes are never trained"
        ));
    }
    let cooldown = config.optim.cooldown_epochs;
    if cooldown > 0 && config.optim.warmup_epochs + cooldown > epochs {
        notes.push(format!(
            "optim.cooldown_epochs = {cooldown} does not fit behind the warm-up: it is cut short"
        ));
    }
    let start = config.mask.pred_start_epoch;
    if config.mask.use_masked_im_modeling && start >= epochs {
        notes.push(format!(
            "mask.pred_start_epoch = {start}: nothing is ever masked"
        ));
    }
    notes
}

fn sizes(config: &Config) -> [String; 2] {
    let backbone = config.backbone();
    let crops = &config.crops;
    [
        format!("{backbone}; {} prototypes", config.head.out_dim),
        format!(
            "crops: {} x {} and {} x {} pixels an image",
            crops.global_crops_number,
            crops.global_size,
            crops.local_crops_number,
            crops.local_size
        ),
    ]
}

fn schedule_notes(optim: &OptimConfig, images: usize, schedules: &Schedules) -> [String; 2] {
    let constant = optim.schedule == ScheduleShape::Constant && optim.cooldown_epochs == 0;
    let end = if constant {
        optim.peak_lr()
    } else {
        optim.min_lr
    };
    [
        epoch_note(
            optim.epochs,
            schedules.steps_per_epoch(),
            optim.batch_size,
            images,
        ),
        format!(
            "learning rate: {:e}{} = {:e} at the peak, {:e} at the end",
            optim.lr,
            optim.lr_scaling.factor(optim.batch_size),
            optim.peak_lr(),
            end
        ),
    ]
}

fn warnings(settings: &Settings, schedules: &Schedules) -> Vec<String> {
    let optim = &settings.config.optim;
    let momentum = optim.momentum_teacher;
    let mut warnings = Vec::new();

    let batch = optim.batch_size;
    let intended = settings.intended_batch;
    if batch * 4 <= intended {
        warnings.push(format!(
            "a batch of {batch} is out of the range of a schedule made for {intended}: the learning rate falls to {:e}, \
             and a momentum of {momentum} averages the teacher over {} images in place of {}; think of a lower \
             optim.momentum_teacher and a longer optim.warmup_epochs",
            optim.peak_lr(),
            averaged(batch, momentum),
            averaged(intended, momentum),
        ));
    }

    let steps = schedules.total_steps();
    if (steps as f64) * (1.0 - momentum) < 2.0 {
        warnings.push(format!(
            "in {steps} steps a momentum of {momentum} hardly moves the teacher from its random start; think of a lower \
             optim.momentum_teacher, or more epochs"
        ));
    }
    warnings
}

/// Number of images that the teacher's average covers.
fn averaged(batch: usize, momentum: f64) -> u64 {
    (batch as f64 / (1.0 - momentum).max(1e-9)) as u64
}

#[cfg(test)]
mod tests;
