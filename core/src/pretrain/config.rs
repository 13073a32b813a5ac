//! The configuration of a training run: one struct a concern, with the official code's names and
//! defaults.

mod teacher;

use serde::{Deserialize, Serialize};

pub use self::teacher::TeacherTempConfig;
use crate::image::augment::{AugmentConfig, CropsConfig};
use crate::model::Mask;
use crate::model::{BackboneConfig, ComputePrecision, HeadConfig, ModelConfig};
use crate::optim::{AdamWConfig, Clip, ClipBy, LrScaling, ScheduleShape};
use crate::pretrain::loss::LossConfig;
use crate::pretrain::masking::{MaskConfig, uniform};
use crate::pretrain::strata;
use crate::problems::Problems;
use crate::rng::{Purpose, crop_stream};

/// Where an image stands in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPlace {
    /// Optimisation steps before it.
    pub step: usize,
    /// Images before it in the batch of all workers.
    pub place: usize,
}

/// Everything that determines what is learned, apart from the data and the seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The backbone.
    pub model: ModelConfig,
    /// The projection head.
    pub head: HeadConfig,
    /// The multi-crop views.
    pub crops: CropsConfig,
    /// Their augmentation.
    pub augment: AugmentConfig,
    /// The masks.
    pub mask: MaskConfig,
    /// The losses.
    pub loss: LossConfig,
    /// The teacher's temperatures.
    pub teacher: TeacherTempConfig,
    /// The optimiser and its schedules.
    pub optim: OptimConfig,
}

impl Config {
    /// The defaults with a network of which a step takes milliseconds, to try a device with: 16
    /// patches of 4 x 4 pixels, 12 prototypes.
    pub fn miniature() -> Self {
        Self {
            model: ModelConfig {
                patch_size: Some(4),
                dim: Some(16),
                depth: Some(2),
                heads: Some(2),
                mlp_ratio: 2,
                drop_path: 0.0,
                ..ModelConfig::default()
            },
            head: HeadConfig {
                out_dim: 12,
                patch_out_dim: 12,
                hidden_dim: 16,
                bottleneck_dim: 8,
                norm_last_layer: false,
                ..HeadConfig::default()
            },
            crops: CropsConfig {
                global_size: 16,
                local_size: 8,
                ..CropsConfig::default()
            },
            ..Self::default()
        }
    }

    /// The student's backbone; the teacher's is the same without mask token.
    pub fn backbone(&self) -> BackboneConfig {
        let mask_token = self.mask.use_masked_im_modeling;
        self.model.backbone(self.crops.global_size, mask_token)
    }

    /// Patches of the output along both sides of a global crop: the cells of its masks.
    pub fn global_grid(&self) -> (usize, usize) {
        let side = self.crops.global_size;
        self.backbone().grid(side, side)
    }

    /// The masks of the global crops of an image, the same wherever and whenever they are drawn.
    pub fn masks(&self, seed: u64, epoch: usize, image: usize) -> Vec<Mask> {
        let crops = 0..self.crops.global_crops_number;
        crops
            .map(|crop| self.mask.mask(self.global_grid(), seed, epoch, image, crop))
            .collect()
    }

    /// The masks of the global crops of an image at its `place` in a run: with `mask.stratified`
    /// they depend on the batch, else they are those of [`masks`](Self::masks).
    pub fn masks_at(&self, seed: u64, epoch: usize, image: usize, place: BatchPlace) -> Vec<Mask> {
        if !self.mask.stratified || !self.mask.masks_in(epoch) {
            return self.masks(seed, epoch, image);
        }

        let crops = self.crops.global_crops_number;
        let all = self.optim.batch_size * crops;
        let order = strata::order(seed, place.step, all);
        let mut masks = Vec::new();
        for crop in 0..crops {
            let ratios = self.mask.stratum(order[place.place * crops + crop], all);
            let mut rng = crop_stream(seed, Purpose::Mask, epoch, image, crop);
            let ratio = uniform(&mut rng, ratios.start, ratios.end);
            masks.push(self.mask.draw_share(self.global_grid(), ratio, &mut rng));
        }
        masks
    }

    /// Checks that the settings make sense, one by one and together.
    pub fn check(&self, at: &mut Problems) {
        let known_backbone = self.model.check(at.section("model"));
        self.head.check(at.section("head"));
        self.crops.check(at.section("crops"));
        self.augment.check(at.section("augment"));
        self.mask.check(at.section("mask"));
        self.loss.check(at.section("loss"));
        self.teacher.check(at.section("teacher"));
        self.optim.check(at.section("optim"));

        // Sizes beyond their bounds would overflow where they become those of a network.
        let patch = if known_backbone {
            self.backbone().patch_size()
        } else {
            1
        };
        self.check_together(at.section(""), patch);
    }

    fn check_together(&self, at: &mut Problems, patch: usize) {
        for (key, side) in [
            ("crops.global_size", self.crops.global_size),
            ("crops.local_size", self.crops.local_size),
        ] {
            let problem = format!("is not a multiple of the patch size {patch}");
            at.require(side.is_multiple_of(patch), key, side, problem);
        }

        let masks = self.mask.use_masked_im_modeling;
        let learns = self.loss.lambda1 != 0.0 || (self.loss.lambda2 != 0.0 && masks);
        at.require(
            learns,
            "loss.lambda1",
            self.loss.lambda1,
            "leaves nothing to learn: set lambda1, or lambda2 with mask.use_masked_im_modeling",
        );
    }
}

/// Learning rate, weight decay and momentum, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimConfig {
    /// Passes over the data.
    pub epochs: usize,
    /// Images in an optimisation step.
    pub batch_size: usize,
    /// Peak learning rate, for 256 images a step unless `lr_scaling` says otherwise.
    pub lr: f64,
    /// How the peak follows the batch.
    pub lr_scaling: LrScaling,
    /// Learning rate at the end, not scaled by the batch.
    pub min_lr: f64,
    /// Epochs in which the learning rate rises from 0.
    pub warmup_epochs: usize,
    /// Shape of learning rate, weight decay and teacher momentum over the run.
    pub schedule: ScheduleShape,
    /// Last epochs of a constant schedule, in which the learning rate falls to `min_lr` in a line.
    pub cooldown_epochs: usize,
    /// Weight decay at the start.
    pub weight_decay: f64,
    /// Weight decay at the end; a constant schedule stays at the start.
    pub weight_decay_end: f64,
    /// Largest gradient norm; 0 does not clip.
    pub clip_grad: f64,
    /// Whether the norm is that of each tensor (official) or of all together.
    pub clip_by: ClipBy,
    /// Epochs in which the prototypes are not updated.
    pub freeze_last_layer: usize,
    /// Momentum of the teacher at the start; it rises to 1 unless the schedule is constant.
    pub momentum_teacher: f64,
    /// AdamW's decay of the first moment.
    pub beta1: f64,
    /// AdamW's decay of the second moment.
    pub beta2: f64,
    /// AdamW's epsilon.
    pub eps: f64,
    /// What matrix products are computed in: `f32`, or on GPUs that can, `f16` (official:
    /// `use_fp16`) or `bf16`.
    pub precision: ComputePrecision,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch_size: 128,
            lr: 5e-4,
            lr_scaling: LrScaling::Linear,
            min_lr: 1e-6,
            warmup_epochs: 10,
            schedule: ScheduleShape::Cosine,
            cooldown_epochs: 0,
            weight_decay: 0.04,
            weight_decay_end: 0.4,
            clip_grad: 3.0,
            clip_by: ClipBy::Tensor,
            freeze_last_layer: 1,
            momentum_teacher: 0.996,
            // PyTorch's value; burn's default is 1e-5.
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            precision: ComputePrecision::F32,
        }
    }
}

/// Most epochs, and most images of a batch.
const MAX_COUNT: usize = 1_000_000_000;

impl OptimConfig {
    /// Learning rate at the end of the warm-up.
    pub fn peak_lr(&self) -> f64 {
        self.lr_scaling.peak(self.lr, self.batch_size)
    }

    /// The optimiser's part.
    pub fn adamw(&self) -> AdamWConfig {
        AdamWConfig {
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            clip: Clip {
                max_norm: self.clip_grad,
                by: self.clip_by,
            },
        }
    }

    pub(crate) fn check(&self, at: &mut Problems) {
        at.within("epochs", self.epochs, 1..=MAX_COUNT);
        at.within("batch_size", self.batch_size, 1..=MAX_COUNT);

        at.not_negative("lr", self.lr);
        at.not_negative("min_lr", self.min_lr);
        at.require(
            self.cooldown_epochs == 0 || self.schedule == ScheduleShape::Constant,
            "cooldown_epochs",
            self.cooldown_epochs,
            "needs optim.schedule = \"constant\": a cosine falls over the whole run",
        );
        at.not_negative("weight_decay", self.weight_decay);
        at.not_negative("weight_decay_end", self.weight_decay_end);
        at.not_negative("clip_grad", self.clip_grad);
        at.within("momentum_teacher", self.momentum_teacher, 0.0..=1.0);

        self.adamw().check(at);
    }
}

#[cfg(test)]
mod tests;
