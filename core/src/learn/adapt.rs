//! Domain adaptation: iBOT continued from pre-trained weights, on images without labels.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::image::RgbImage;
use crate::image::augment::{AugmentConfig, CropsConfig, multi_crop};
use crate::learn::TuneError;
use crate::learn::sampler;
use crate::learn::state::{part, prefixed, scalar, scalar_weight};
use crate::model::{Backbone, BackboneConfig, HeadConfig, Network};
use crate::optim::Schedule;
use crate::pretrain::config::Config;
use crate::pretrain::{
    Batch, HostBatch, Sequential, Snapshot, StepReport, StepValues, TrainState, Updates, step,
};
use crate::problems::Problems;
use crate::rng::{Purpose, crop_stream, stream};
use crate::weights::{Checkpoint, LoadError, LoadReport, Weights};

/// How an [`Adapt`] learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptSettings {
    /// Side of a global crop in pixels; a multiple of the patch. Local crops have three sevenths of
    /// it, as 96 of 224.
    pub size: usize,
    /// Local crops of an image.
    pub local_crops: usize,
    /// Steps in which the learning rate falls to zero.
    pub steps: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak learning rate, reached after a tenth of the steps.
    pub lr: f64,
    /// Momentum of the teacher at the start; it rises to 1. Few steps need a teacher that follows
    /// sooner than the 0.996 of a whole pre-training.
    pub momentum: f64,
    /// Seed of order, crops and masks.
    pub seed: u64,
}

impl Default for AdaptSettings {
    fn default() -> Self {
        Self {
            size: 224,
            local_crops: 4,
            steps: 300,
            batch: 16,
            lr: 2e-4,
            momentum: 0.99,
            seed: 0,
        }
    }
}

impl AdaptSettings {
    fn check(&self, patch: usize, at: &mut Problems) {
        let whole = self.size > 0 && self.size.is_multiple_of(patch);
        let problem = format!("must be a multiple of the patch, {patch}");
        at.require(whole, "size", self.size, problem);
        let locals = self.local_crops;
        at.require(locals <= 32, "local_crops", locals, "must be at most 32");

        at.require(self.steps > 0, "steps", self.steps, "must be at least 1");
        at.within("batch", self.batch, 2..=4096);
        at.not_negative("lr", self.lr);
        at.within("momentum", self.momentum, 0.0..=1.0);
    }

    fn crops(&self, patch: usize) -> CropsConfig {
        CropsConfig {
            global_crops_number: 2,
            // Two, as iBOT's loss compares one with the other.
            global_size: self.size,
            global_crops_scale: [0.4, 1.0],
            local_crops_number: self.local_crops,
            // 96 of 224, in whole patches.
            local_size: (self.size * 3 / 7 + patch / 2).max(patch) / patch * patch,
            local_crops_scale: [0.15, 0.4],
        }
    }

    fn augment(&self) -> AugmentConfig {
        // The official radii are for 224 pixels and would hide more of a smaller view.
        let AugmentConfig { blur_radius, .. } = AugmentConfig::default();
        let scale = self.size as f64 / 224.0;
        AugmentConfig {
            blur_radius: blur_radius.map(|radius| radius * scale),
            ..AugmentConfig::default()
        }
    }

    fn config(&self, patch: usize) -> Config {
        let mut config = Config::default();
        config.model.patch_size = Some(patch);
        config.crops = self.crops(patch);
        config.augment = self.augment();
        config
    }
}

/// Student and teacher on the way into another domain.
#[derive(Clone, Debug)]
pub struct Adapt {
    state: TrainState,
    settings: AdaptSettings,
    config: Config,
    lr: Schedule,
    momentum: Schedule,
    steps: usize,
    device: Device,
}

impl Adapt {
    /// The student that starts from a file's network: its head and mask token, or fresh ones where
    /// the file has none.
    ///
    /// # Errors
    /// If the tensors make no backbone.
    pub fn student(
        checkpoint: &Checkpoint,
        config: &BackboneConfig,
        seed: u64,
        device: &Device,
    ) -> Result<(Network, LoadReport), LoadError> {
        // iBOT masks, and files of teachers have no token for it.
        let config = config.clone().with_mask_token(true);
        let head = checkpoint
            .head()
            .unwrap_or_else(|_| fresh_head(config.dim()));
        // A stream of its own: the same seed gives the same fresh head with any file.
        let rng = &mut stream(seed, Purpose::Init, 0, 0);
        let student = Network::init(&config, &head, &device.clone().autodiff(), rng);
        checkpoint.start(student, &config)
    }

    /// A session before its first step: the teacher has the student's weights, the centers are
    /// zero.
    ///
    /// # Errors
    /// If a setting makes no sense for the network.
    pub fn new(
        student: Network,
        settings: AdaptSettings,
        device: &Device,
    ) -> Result<Self, TuneError> {
        let patch = student.backbone.stride();
        let mut problems = Problems::default();
        settings.check(patch, &mut problems);
        problems.into_result()?;

        let AdaptSettings {
            lr,
            momentum,
            steps,
            ..
        } = settings;
        Ok(Self {
            state: TrainState::new(student, false, device),
            config: settings.config(patch),
            lr: Schedule::warmup_cosine(lr, 0.0, steps / 10, steps),
            momentum: Schedule::cosine(momentum, 1.0, steps),
            settings,
            steps: 0,
            device: device.clone().without_autodiff(),
        })
    }

    /// One step of iBOT on the next batch of `images`; nothing but the count of steps changes if a
    /// gradient is not finite.
    ///
    /// # Errors
    /// If there are no images, or the device fails.
    pub async fn step(&mut self, images: &[&RgbImage]) -> Result<StepReport, TuneError> {
        if images.is_empty() {
            return Err(TuneError::Empty);
        }
        let batch = vec![self.batch(images)];
        let now = self.values();
        let report = step(&mut self.state, batch, &now, &self.config, &Sequential).await?;
        // Counted in any case, or the next step would fail on the same batch.
        self.steps += 1;
        Ok(report)
    }

    /// The values of the next step; those of the last one where there are no more.
    fn values(&self) -> StepValues {
        // After its end a cosine would rise again.
        let step = self.steps.min(self.settings.steps - 1);
        let teacher = &self.config.teacher;
        StepValues {
            lr: self.lr.at(step),
            weight_decay: self.config.optim.weight_decay,
            momentum: self.momentum.at(step),
            // A few hundred steps are too few to warm temperatures up: they stay where pre-training
            // starts.
            teacher_temp: teacher.warmup_teacher_temp,
            teacher_patch_temp: teacher.warmup_teacher_patch_temp,
            freeze_last_layer: false,
            anchored: false,
            renews_anchor: false,
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The teacher's backbone, which is what iBOT evaluates.
    pub fn backbone(&self) -> &Backbone {
        &self.state.teacher.backbone
    }

    /// Everything that steps change, for [`restore`](Self::restore).
    pub async fn state(&self) -> Result<Weights, TuneError> {
        let Snapshot {
            mut tensors,
            updates,
        } = self.state.snapshot().await?;

        let mut counts = Weights::new();
        for (name, count) in updates.0 {
            counts.insert(name, scalar_weight(count as usize));
        }
        // The names of the snapshot have no such prefix.
        tensors.extend(prefixed("updates/", counts));
        tensors.insert("steps".to_owned(), scalar_weight(self.steps));
        Ok(tensors)
    }

    /// This session, made of the same network and settings, at another one's `state`; it continues
    /// bit for bit.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(self, state: &Weights) -> Result<Self, TuneError> {
        let counts = part(state, "updates/");
        let mut updates = Updates::default();
        for name in counts.keys() {
            let count = scalar(&counts, name)? as u64;
            updates.0.insert(name.clone(), count);
        }

        let steps = scalar(state, "steps")?;
        let snapshot = Snapshot {
            tensors: state.clone(),
            updates,
        };
        Ok(Self {
            state: self.state.restore(snapshot)?,
            steps,
            ..self
        })
    }

    fn batch(&self, images: &[&RgbImage]) -> Batch {
        let AdaptSettings { seed, batch, .. } = self.settings;
        let Config { crops, augment, .. } = &self.config;
        let drawn = sampler::batch(seed, images.len(), batch, self.steps);

        let mut collated = HostBatch::zeros(crops, batch);
        for (place, draw) in drawn.iter().enumerate() {
            let crops = multi_crop(images[draw.image], crops, augment, |crop| {
                crop_stream(seed, Purpose::Augment, draw.epoch, draw.image, crop)
            });
            let masks = self.config.masks(seed, draw.epoch, draw.image);
            collated.set(place, &crops, masks);
        }
        collated.into_batch(&self.device)
    }
}

/// A head for a backbone of width `dim` that came without.
fn fresh_head(dim: usize) -> HeadConfig {
    // Small, because a few images cannot fill many prototypes.
    HeadConfig {
        out_dim: 256,
        patch_out_dim: 256,
        hidden_dim: (4 * dim).min(HeadConfig::default().hidden_dim),
        bottleneck_dim: 128,
        ..HeadConfig::default()
    }
}

#[cfg(test)]
mod tests;
