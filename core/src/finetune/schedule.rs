//! What changes over a run of fine-tuning: learning rate and weight decay.

use crate::finetune::config::{FinetuneConfig, FinetuneOptimConfig};
use crate::finetune::layer_rates::LayerRates;
use crate::optim::{Rule, Schedule};

/// The values of one optimisation step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FinetuneValues {
    /// Learning rate of the classifier.
    pub lr: f64,
    /// Weight decay of the decayed group.
    pub weight_decay: f64,
}

impl FinetuneValues {
    /// How a parameter of the network is updated.
    pub fn rule(&self, layers: &LayerRates, name: &str, rank: usize) -> Rule {
        let decays = layers.decays(name, rank);
        Rule {
            lr: self.lr * layers.scale(name),
            weight_decay: if decays { self.weight_decay } else { 0.0 },
            frozen: false,
        }
    }
}

/// All schedules of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct FinetuneSchedules {
    lr: LearningRate,
    weight_decay: Schedule,
    epochs: usize,
    steps_per_epoch: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum LearningRate {
    ByStep(Schedule),
    ByEpoch(Released),
}

impl FinetuneSchedules {
    /// Schedules of a run whose epochs have `steps_per_epoch` steps.
    pub fn new(config: &FinetuneConfig, steps_per_epoch: usize) -> Self {
        let optim = &config.optim;
        let steps = optim.epochs * steps_per_epoch;
        let warmup = optim.warmup_epochs.min(optim.epochs) * steps_per_epoch;

        let lr = if optim.as_released {
            LearningRate::ByEpoch(Released::new(optim))
        } else {
            let schedule = Schedule::warmup_cosine(optim.lr, optim.min_lr, warmup, steps);
            LearningRate::ByStep(schedule)
        };
        Self {
            lr,
            weight_decay: Schedule::cosine(optim.weight_decay, optim.weight_decay_end, steps),
            epochs: optim.epochs,
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
    pub fn at(&self, step: usize) -> FinetuneValues {
        let lr = match &self.lr {
            LearningRate::ByStep(schedule) => schedule.at(step),
            LearningRate::ByEpoch(released) => released.at(step / self.steps_per_epoch.max(1)),
        };
        FinetuneValues {
            lr,
            weight_decay: self.weight_decay.at(step),
        }
    }
}

/// The learning rate of the released code for semi-supervised learning and transfer, by epoch: a
/// rise from 1e-6, then a cosine that began with the rise, one epoch late.
#[derive(Clone, Debug, PartialEq)]
struct Released {
    warmup: usize,
    rise: Schedule,
    cosine: Schedule,
}

/// Learning rate at the start of the released rise.
const RELEASED_START: f64 = 1e-6;

impl Released {
    fn new(optim: &FinetuneOptimConfig) -> Self {
        // A line that reaches the peak one epoch after its last.
        let rise = Schedule::linear(RELEASED_START, optim.lr, optim.warmup_epochs + 1);
        Self {
            warmup: optim.warmup_epochs,
            rise,
            cosine: Schedule::cosine(optim.lr, optim.min_lr, optim.epochs),
        }
    }

    fn at(&self, epoch: usize) -> f64 {
        // The scheduler was stepped after an epoch with that epoch's number.
        let epoch = epoch.saturating_sub(1);
        if epoch < self.warmup {
            self.rise.at(epoch)
        } else {
            self.cosine.at(epoch)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn config(change: impl FnOnce(&mut FinetuneOptimConfig)) -> FinetuneConfig {
        let mut config = FinetuneConfig::default();
        change(&mut config.optim);
        config
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-15 + 1e-12 * b, "{a} is not {b}");
    }

    #[test]
    fn learning_rate_rises_by_step_then_falls_along_a_cosine() {
        let config = config(|optim| {
            optim.epochs = 10;
            optim.warmup_epochs = 2;
            optim.lr = 1e-3;
            optim.min_lr = 1e-6;
        });
        let schedules = FinetuneSchedules::new(&config, 5);
        let lr = |step| schedules.at(step).lr;
        close(lr(0), 0.0);
        close(lr(9), 1e-3);
        close(lr(10), 1e-3);
        close(lr(30), 1e-6 + 0.5 * (1e-3 - 1e-6));
        assert!(lr(49) > 1e-6, "the last step does not quite reach the end");
        close(schedules.at(20).weight_decay, 0.05);
    }

    #[test]
    fn the_released_learning_rate_is_an_epoch_late() {
        let config = config(|optim| {
            optim.as_released = true;
            optim.epochs = 1000;
            optim.warmup_epochs = 5;
            optim.lr = 1e-5;
            optim.min_lr = 1e-5;
        });
        let schedules = FinetuneSchedules::new(&config, 12);
        let expected = [1e-6, 1e-6, 2.8e-6, 4.6e-6, 6.4e-6, 8.2e-6, 1e-5, 1e-5];
        for (epoch, expected) in expected.into_iter().enumerate() {
            close(schedules.at(12 * epoch).lr, expected);
            close(schedules.at(12 * epoch + 11).lr, expected);
        }
    }
}
