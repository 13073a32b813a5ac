//! What changes over a run of pre-training: learning rate, weight decay, the teacher's momentum and
//! temperatures.
//!
//! All are the official code's arrays in closed form. Warm-ups longer than the run are clamped to
//! it, where the official code stops with an error.

use crate::optim::{Rule, Schedule, ScheduleShape};
use crate::pretrain::config::{Config, OptimConfig};

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
    /// Whether patches are anchored.
    pub anchored: bool,
    /// Whether the teacher becomes the anchor before the step.
    pub renews_anchor: bool,
}

impl StepValues {
    /// How a parameter of the student is updated.
    pub fn rule(&self, name: &str, rank: usize) -> Rule {
        Rule {
            // Every name that contains it, as in the official code: `last_layer2` is frozen too.
            frozen: self.freeze_last_layer && name.contains("last_layer"),
            ..Rule::by_rank(self.lr, self.weight_decay, rank)
        }
    }
}

/// All schedules of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedules {
    /// Learning rate, by step.
    pub lr: Schedule,
    /// Weight decay, by step.
    pub weight_decay: Schedule,
    /// Momentum of the teacher, by step.
    pub momentum: Schedule,
    /// Temperature of CLS targets, by epoch.
    pub teacher_temp: Schedule,
    /// Temperature of patch targets, by epoch.
    pub teacher_patch_temp: Schedule,
    /// Epochs in which the prototypes stay as they are.
    pub frozen_epochs: usize,
    /// First epoch in which patches are anchored; `None` if they never are.
    pub anchor_epoch: Option<usize>,
    /// Epochs between two anchors; 0 for one anchor.
    pub anchor_epochs: usize,
    epochs: usize,
    steps_per_epoch: usize,
}

impl Schedules {
    /// Schedules of a run whose epochs have `steps_per_epoch` steps.
    pub fn new(config: &Config, steps_per_epoch: usize) -> Self {
        let optim = &config.optim;
        let teacher = &config.teacher;
        let epochs = optim.epochs;
        let steps = epochs * steps_per_epoch;

        // The patch temperature's warm-up begins when masking does.
        let start = config.mask.pred_start_epoch.min(epochs);
        let warmup = teacher.warmup_teacher_temp_epochs;
        let teacher_temp = warm_up(
            teacher.warmup_teacher_temp,
            teacher.teacher_temp,
            warmup.min(epochs),
        );
        let teacher_patch_temp = warm_up(
            teacher.warmup_teacher_patch_temp,
            teacher.teacher_patch_temp,
            warmup.min(epochs - start),
        );
        let before_masking = Schedule::hold(teacher.warmup_teacher_patch_temp, start);

        Self {
            lr: learning_rate(optim.peak_lr(), optim, steps_per_epoch),
            weight_decay: over_the_run(optim.weight_decay, optim.weight_decay_end, optim, steps),
            momentum: over_the_run(optim.momentum_teacher, 1.0, optim, steps),
            teacher_temp,
            teacher_patch_temp: before_masking.then(teacher_patch_temp),
            frozen_epochs: optim.freeze_last_layer,
            anchor_epoch: (config.loss.gram_loss_weight > 0.0)
                .then_some(config.loss.gram_start_epoch),
            anchor_epochs: config.loss.gram_update_epochs,
            epochs,
            steps_per_epoch,
        }
    }

    /// Optimisation steps of the whole run.
    pub fn total_steps(&self) -> usize {
        self.epochs * self.steps_per_epoch
    }

    /// Optimisation steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.steps_per_epoch
    }

    /// The values for step `step` (counted from 0 over the whole run).
    pub fn at(&self, step: usize) -> StepValues {
        let epoch = step / self.steps_per_epoch.max(1);
        let begins_epoch = step.is_multiple_of(self.steps_per_epoch.max(1));
        // Epochs since the first anchor.
        let anchored = (self.anchor_epoch).and_then(|first| epoch.checked_sub(first));
        let renews = |since: usize| {
            since == 0 || (self.anchor_epochs > 0 && since.is_multiple_of(self.anchor_epochs))
        };

        StepValues {
            lr: self.lr.at(step),
            weight_decay: self.weight_decay.at(step),
            momentum: self.momentum.at(step),
            teacher_temp: self.teacher_temp.at(epoch),
            teacher_patch_temp: self.teacher_patch_temp.at(epoch),
            freeze_last_layer: epoch < self.frozen_epochs,
            anchored: anchored.is_some(),
            renews_anchor: begins_epoch && anchored.is_some_and(renews),
        }
    }
}

/// A rise to the peak in the warm-up, then half a cosine down to `optim.min_lr`; or the peak, with a
/// line down to `optim.min_lr` in the epochs of the cool-down.
pub fn learning_rate(peak: f64, optim: &OptimConfig, steps_per_epoch: usize) -> Schedule {
    let warmup_epochs = optim.warmup_epochs.min(optim.epochs);
    let warmup = warmup_epochs * steps_per_epoch;
    let steps = optim.epochs * steps_per_epoch;
    if optim.schedule == ScheduleShape::Cosine {
        return Schedule::warmup_cosine(peak, optim.min_lr, warmup, steps);
    }

    let cooldown_epochs = optim.cooldown_epochs.min(optim.epochs - warmup_epochs);
    let cooldown = cooldown_epochs * steps_per_epoch;
    Schedule::linear(0.0, peak, warmup)
        .then(Schedule::hold(peak, steps - warmup - cooldown))
        .then(Schedule::linear(peak, optim.min_lr, cooldown))
}

/// From `first` to `last` in `steps` steps, unless the schedule is constant.
fn over_the_run(first: f64, last: f64, optim: &OptimConfig, steps: usize) -> Schedule {
    match optim.schedule {
        ScheduleShape::Cosine => Schedule::cosine(first, last, steps),
        ScheduleShape::Constant => Schedule::constant(first),
    }
}

/// A line of `epochs` epochs, then its end.
fn warm_up(from: f64, to: f64, epochs: usize) -> Schedule {
    Schedule::linear(from, to, epochs).then(Schedule::constant(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::LrScaling;
    use crate::testing::test;

    fn schedules(
        epochs: usize,
        warmup_epochs: usize,
        temp_epochs: usize,
        start: usize,
    ) -> Schedules {
        let mut config = Config::default();
        config.optim.epochs = epochs;
        config.optim.warmup_epochs = warmup_epochs;
        config.optim.batch_size = 256;
        config.teacher.warmup_teacher_temp_epochs = temp_epochs;
        config.mask.pred_start_epoch = start;
        Schedules::new(&config, 10)
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
        let mut config = Config::default();
        config.optim.batch_size = 1024;
        let s = Schedules::new(&config, 10);
        close(config.optim.peak_lr(), 2e-3);
        close(s.at(config.optim.warmup_epochs * 10).lr, 2e-3);
        close(s.at(s.total_steps()).lr, 1e-6);
    }

    /// DINOv2: 0.004 for a batch of 1024, so 0.004 * sqrt(2) for its 2048.
    #[test]
    fn the_peak_follows_the_batch_as_asked() {
        let mut optim = OptimConfig {
            lr: 0.004,
            batch_size: 2048,
            lr_scaling: LrScaling::Sqrt,
            ..OptimConfig::default()
        };
        close(optim.peak_lr(), 0.005_656_854_249_492_38);
        optim.batch_size = 1024;
        close(optim.peak_lr(), 0.004);
        optim.lr_scaling = LrScaling::None;
        close(optim.peak_lr(), 0.004);
        optim.lr_scaling = LrScaling::Linear;
        close(optim.peak_lr(), 0.016);
    }

    #[test]
    fn a_constant_schedule_holds_all_values_until_the_cooldown() {
        let mut config = Config::default();
        config.optim.epochs = 10;
        config.optim.warmup_epochs = 2;
        config.optim.batch_size = 256;
        config.optim.schedule = ScheduleShape::Constant;
        let s = Schedules::new(&config, 10);
        close(s.at(0).lr, 0.0);
        for step in [19, 20, 60, 99, 200] {
            close(s.at(step).lr, 5e-4);
            close(s.at(step).weight_decay, 0.04);
            close(s.at(step).momentum, 0.996);
        }

        config.optim.cooldown_epochs = 3;
        let s = Schedules::new(&config, 10);
        close(s.at(69).lr, 5e-4);
        close(s.at(70).lr, 5e-4);
        close(s.at(80).lr, 5e-4 + (1e-6 - 5e-4) * 10.0 / 29.0);
        close(s.at(99).lr, 1e-6);
        close(s.at(99).weight_decay, 0.04);

        // No cool-down is longer than what the warm-up leaves.
        config.optim.cooldown_epochs = 30;
        let s = Schedules::new(&config, 10);
        close(s.at(19).lr, 5e-4);
        close(s.at(20).lr, 5e-4);
        close(s.at(99).lr, 1e-6);
    }

    #[test]
    fn the_teacher_becomes_the_anchor_now_and_then() {
        let mut config = Config::default();
        config.optim.epochs = 10;
        assert!(!Schedules::new(&config, 10).at(50).anchored);
        config.loss.gram_loss_weight = 2.0;
        config.loss.gram_start_epoch = 3;
        for (every, expected) in [(0, vec![30]), (2, vec![30, 50, 70, 90])] {
            config.loss.gram_update_epochs = every;
            let s = Schedules::new(&config, 10);
            let renewed: Vec<usize> = (0..100).filter(|step| s.at(*step).renews_anchor).collect();
            assert_eq!(renewed, expected);
            assert!(!s.at(29).anchored && s.at(30).anchored && s.at(99).anchored);
        }
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

    #[test]
    fn the_prototypes_alone_are_frozen() {
        let values = schedules(10, 0, 0, 0).at(5);
        assert!(values.freeze_last_layer);
        assert!(values.rule("head.last_layer.weight_v", 2).frozen);
        let bias = values.rule("backbone.norm.bias", 1);
        assert!(!bias.frozen && bias.weight_decay == 0.0 && bias.lr == values.lr);
        assert_eq!(
            values.rule("backbone.cls_token", 3).weight_decay,
            values.weight_decay
        );
    }
}
