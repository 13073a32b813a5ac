//! Everything that changes over a run: learning rate, weight decay, teacher momentum, teacher
//! temperatures.
//!
//! All are the official code's arrays in closed form. Warm-ups longer than the run are clamped to
//! it, where the official code stops with an error.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::model::ComputePrecision;
use crate::problems::Problems;

/// Learning rate, weight decay and momentum, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimConfig {
    /// Passes over the data.
    pub epochs: usize,
    /// Images in an optimisation step.
    pub batch_size: usize,
    /// Peak learning rate for 256 images a step; it scales linearly with the batch.
    pub lr: f64,
    /// Learning rate at the end, not scaled by the batch.
    pub min_lr: f64,
    /// Epochs in which the learning rate rises from 0.
    pub warmup_epochs: usize,
    /// Weight decay at the start.
    pub weight_decay: f64,
    /// Weight decay at the end.
    pub weight_decay_end: f64,
    /// Largest gradient norm; 0 does not clip.
    pub clip_grad: f64,
    /// Whether the norm is that of each tensor (official) or of all together.
    pub clip_by: ClipBy,
    /// Epochs in which the prototypes are not updated.
    pub freeze_last_layer: usize,
    /// Momentum of the teacher at the start; it rises to 1.
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

/// What a gradient's norm is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClipBy {
    /// Each parameter tensor by itself, as the official code does.
    Tensor,
    /// All gradients together.
    Global,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch_size: 128,
            lr: 5e-4,
            min_lr: 1e-6,
            warmup_epochs: 10,
            weight_decay: 0.04,
            weight_decay_end: 0.4,
            clip_grad: 3.0,
            clip_by: ClipBy::Tensor,
            freeze_last_layer: 1,
            momentum_teacher: 0.996,
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
    /// Checks the values.
    pub(crate) fn check(&self, at: &mut Problems) {
        at.within("epochs", self.epochs, 1..=MAX_COUNT);
        at.within("batch_size", self.batch_size, 1..=MAX_COUNT);

        at.not_negative("lr", self.lr);
        at.not_negative("min_lr", self.min_lr);
        at.not_negative("weight_decay", self.weight_decay);
        at.not_negative("weight_decay_end", self.weight_decay_end);
        at.not_negative("clip_grad", self.clip_grad);
        at.within("momentum_teacher", self.momentum_teacher, 0.0..=1.0);

        for (key, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if at.within(key, beta, 0.0..=1.0) {
                at.require(beta < 1.0, key, beta, "must be less than one");
            }
        }
        at.positive("eps", self.eps);
    }
}

/// Teacher temperatures, with the official code's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeacherTempConfig {
    /// Temperature of CLS targets at the start.
    pub warmup_teacher_temp: f64,
    /// Temperature of CLS targets after the warm-up.
    pub teacher_temp: f64,
    /// Temperature of patch targets at the start.
    pub warmup_teacher_patch_temp: f64,
    /// Temperature of patch targets after the warm-up.
    pub teacher_patch_temp: f64,
    /// Epochs of the warm-up of both.
    pub warmup_teacher_temp_epochs: usize,
}

impl Default for TeacherTempConfig {
    fn default() -> Self {
        Self {
            warmup_teacher_temp: 0.04,
            teacher_temp: 0.07,
            warmup_teacher_patch_temp: 0.04,
            teacher_patch_temp: 0.07,
            warmup_teacher_temp_epochs: 30,
        }
    }
}

impl TeacherTempConfig {
    /// Checks the values.
    pub(crate) fn check(&self, at: &mut Problems) {
        at.positive("warmup_teacher_temp", self.warmup_teacher_temp);
        at.positive("teacher_temp", self.teacher_temp);
        at.positive("warmup_teacher_patch_temp", self.warmup_teacher_patch_temp);
        at.positive("teacher_patch_temp", self.teacher_patch_temp);
    }
}

/// The values of one optimisation step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepValues {
    /// Learning rate.
    pub lr: f64,
    /// Weight decay of the decayed group.
    pub weight_decay: f64,
    /// Momentum of the teacher.
    pub momentum: f64,
    /// Temperature of the teacher's CLS targets.
    pub teacher_temp: f64,
    /// Temperature of the teacher's patch targets.
    pub teacher_patch_temp: f64,
    /// Whether the prototypes stay as they are.
    pub freeze_last_layer: bool,
}

/// All schedules of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedules {
    optim: OptimConfig,
    temps: TeacherTempConfig,
    pred_start_epoch: usize,
    steps_per_epoch: usize,
    peak_lr: f64,
}

impl Schedules {
    /// Schedules of `optim.epochs` epochs of `steps_per_epoch` steps.
    pub fn new(
        optim: &OptimConfig,
        temps: &TeacherTempConfig,
        pred_start_epoch: usize,
        steps_per_epoch: usize,
    ) -> Self {
        let peak_lr = optim.lr * optim.batch_size as f64 / 256.0;
        Self {
            optim: optim.clone(),
            temps: temps.clone(),
            pred_start_epoch,
            steps_per_epoch,
            peak_lr,
        }
    }

    /// The same schedules with the given peak learning rate, whatever the batch.
    pub fn with_peak_lr(mut self, peak_lr: f64) -> Self {
        self.peak_lr = peak_lr;
        self
    }

    /// The learning rate at the end of the warm-up.
    pub fn peak_lr(&self) -> f64 {
        self.peak_lr
    }

    /// Optimisation steps of the whole run.
    pub fn total_steps(&self) -> usize {
        self.optim.epochs * self.steps_per_epoch
    }

    /// Optimisation steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.steps_per_epoch
    }

    /// The values for step `step` (counted from 0 over the whole run).
    pub fn at(&self, step: usize) -> StepValues {
        let epoch = step / self.steps_per_epoch.max(1);
        let total = self.total_steps();
        let warmup = self.optim.warmup_epochs.min(self.optim.epochs) * self.steps_per_epoch;
        let lr = if step < warmup {
            linspace(0.0, self.peak_lr, warmup, step)
        } else {
            cosine(
                self.peak_lr,
                self.optim.min_lr,
                total - warmup,
                step - warmup,
            )
        };
        StepValues {
            lr,
            weight_decay: cosine(
                self.optim.weight_decay,
                self.optim.weight_decay_end,
                total,
                step,
            ),
            momentum: cosine(self.optim.momentum_teacher, 1.0, total, step),
            teacher_temp: self.cls_temp(epoch),
            teacher_patch_temp: self.patch_temp(epoch),
            freeze_last_layer: epoch < self.optim.freeze_last_layer,
        }
    }

    fn cls_temp(&self, epoch: usize) -> f64 {
        let warmup = self.temps.warmup_teacher_temp_epochs.min(self.optim.epochs);
        ramp(
            self.temps.warmup_teacher_temp,
            self.temps.teacher_temp,
            warmup,
            epoch,
        )
    }

    /// The patch temperature's warm-up begins when masking does.
    fn patch_temp(&self, epoch: usize) -> f64 {
        let start = self.pred_start_epoch.min(self.optim.epochs);
        if epoch < start {
            return self.temps.warmup_teacher_patch_temp;
        }
        let warmup = self
            .temps
            .warmup_teacher_temp_epochs
            .min(self.optim.epochs - start);
        ramp(
            self.temps.warmup_teacher_patch_temp,
            self.temps.teacher_patch_temp,
            warmup,
            epoch - start,
        )
    }
}

/// Element `i` of `numpy.linspace(from, to, n)`: both ends included.
fn linspace(from: f64, to: f64, n: usize, i: usize) -> f64 {
    if n < 2 {
        from
    } else {
        from + (to - from) * i as f64 / (n - 1) as f64
    }
}

/// A linspace of `n` values, then its end.
fn ramp(from: f64, to: f64, n: usize, i: usize) -> f64 {
    if i < n { linspace(from, to, n, i) } else { to }
}

/// Half a cosine from `from` towards `to` in `n` steps; as in the official code it stops one step
/// short of `to`.
fn cosine(from: f64, to: f64, n: usize, i: usize) -> f64 {
    to + 0.5 * (from - to) * (1.0 + (PI * i as f64 / n.max(1) as f64).cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn schedules(
        epochs: usize,
        warmup_epochs: usize,
        temp_epochs: usize,
        start: usize,
    ) -> Schedules {
        let optim = OptimConfig {
            epochs,
            warmup_epochs,
            batch_size: 256,
            ..OptimConfig::default()
        };
        let temps = TeacherTempConfig {
            warmup_teacher_temp_epochs: temp_epochs,
            ..TeacherTempConfig::default()
        };
        Schedules::new(&optim, &temps, start, 10)
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn learning_rate_rises_linearly_then_falls_along_a_cosine() {
        let s = schedules(10, 2, 0, 0);
        close(s.at(0).lr, 0.0);
        close(s.at(10).lr, 5e-4 * 10.0 / 19.0);
        close(s.at(19).lr, 5e-4);
        close(s.at(20).lr, 5e-4);
        close(s.at(60).lr, 1e-6 + 0.5 * (5e-4 - 1e-6));
        assert!(
            s.at(99).lr > 1e-6,
            "the last step does not quite reach the end"
        );
    }

    #[test]
    fn the_batch_scales_the_peak_but_not_the_end() {
        let optim = OptimConfig {
            batch_size: 1024,
            ..OptimConfig::default()
        };
        let s = Schedules::new(&optim, &TeacherTempConfig::default(), 0, 10);
        close(s.peak_lr(), 2e-3);
        close(s.at(s.total_steps()).lr, 1e-6);
    }

    #[test]
    fn decay_and_momentum_have_no_warmup() {
        let s = schedules(10, 5, 0, 0);
        close(s.at(0).weight_decay, 0.04);
        close(s.at(50).weight_decay, 0.22);
        close(s.at(0).momentum, 0.996);
        close(s.at(50).momentum, 0.998);
    }

    #[test]
    fn temperatures_reach_their_end_in_the_last_warmup_epoch() {
        let s = schedules(10, 0, 4, 0);
        close(s.at(0).teacher_temp, 0.04);
        close(s.at(19).teacher_temp, 0.05);
        close(s.at(30).teacher_temp, 0.07);
        close(s.at(99).teacher_temp, 0.07);
    }

    #[test]
    fn late_masking_shifts_the_patch_temperature_only() {
        let s = schedules(10, 0, 4, 3);
        close(s.at(20).teacher_patch_temp, 0.04);
        close(s.at(30).teacher_patch_temp, 0.04);
        close(s.at(40).teacher_patch_temp, 0.05);
        close(s.at(60).teacher_patch_temp, 0.07);
        close(s.at(30).teacher_temp, 0.07);
    }

    #[test]
    fn warmups_longer_than_the_run_are_clamped() {
        let s = schedules(3, 10, 30, 50);
        close(s.at(29).lr, 5e-4);
        close(s.at(29).teacher_temp, 0.07);
        close(s.at(29).teacher_patch_temp, 0.04);
    }
}
