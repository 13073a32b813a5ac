//! Means over steps: what a line of metrics says.

use std::time::{Duration, Instant};

use ibot_core::optim::LossScale;
use ibot_core::pretrain::StepValues;
use ibot_core::pretrain::{Losses, Monitor, StepReport};
use serde::{Deserialize, Serialize};

use crate::process;

/// Means over the steps up to `step`. Losses in nats, `null` where not finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Means {
    pub step: usize,
    pub epoch: usize,
    /// Steps in the mean.
    pub steps: usize,
    pub loss: Option<f64>,
    pub cls: Option<f64>,
    pub patch: Option<f64>,
    pub lr: f64,
    pub weight_decay: f64,
    pub momentum: f64,
    pub teacher_temp: f64,
    pub teacher_patch_temp: f64,
    pub gradient_norm: Option<f64>,
    pub teacher_entropy: Option<f64>,
    /// Share of the prototypes that are some crop's most likely one.
    pub prototype_usage: f64,
    /// Share of images whose two views agree on the prototype.
    pub agreement: f64,
    pub skipped_steps: usize,
    /// The loss scale of the last step, in f16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<f64>,
    pub images_per_second: f64,
    /// Share of the time in which the device waited for images.
    #[serde(default)]
    pub waiting: f64,
    /// Resident memory of the process, in MiB.
    pub memory_mib: Option<u64>,
}

/// Steps collected for a mean.
pub struct Window {
    start: Instant,
    steps: usize,
    skipped: usize,
    loss_scale: Option<LossScale>,
    images: usize,
    waited: Duration,
    losses: Losses<f64>,
    gradient_norm: f64,
    monitor: Monitor<f64>,
    used: Vec<bool>,
}

impl Window {
    /// An empty window for a head of `prototypes`.
    pub fn new(prototypes: usize) -> Self {
        Self {
            start: Instant::now(),
            steps: 0,
            skipped: 0,
            loss_scale: None,
            images: 0,
            waited: Duration::ZERO,
            losses: Losses::default(),
            gradient_norm: 0.0,
            monitor: Monitor::default(),
            used: vec![false; prototypes],
        }
    }

    /// Adds a step of `images` images that were waited for so long.
    pub fn add(&mut self, report: &StepReport, images: usize, waited: Duration) {
        self.losses = self.losses.zip(report.losses, |sum, loss| sum + loss);
        self.gradient_norm += report.norms.total();
        self.monitor = self.monitor.zip(report.monitor, |sum, value| sum + value);
        self.steps += 1;
        self.skipped += usize::from(!report.applied);
        self.loss_scale = report.loss_scale;
        self.images += images;
        self.waited += waited;
        for prototype in &report.prototypes {
            if let Some(used) = self.used.get_mut(*prototype as usize) {
                *used = true;
            }
        }
    }

    /// Leaves out a pause that is no part of training.
    pub fn pause(&mut self, pause: Duration) {
        self.start += pause;
    }

    /// The means after `step` steps, of epoch `epoch`, and an empty window.
    pub fn take(&mut self, step: usize, epoch: usize, now: &StepValues) -> Means {
        let done = std::mem::replace(self, Self::new(self.used.len()));
        let steps = done.steps.max(1) as f64;
        let losses = done.losses.map(|sum| sum / steps);
        let monitor = done.monitor.map(|sum| sum / steps);
        let seconds = done.start.elapsed().as_secs_f64().max(1e-9);
        Means {
            step,
            epoch,
            steps: done.steps,
            loss: finite(losses.total),
            cls: finite(losses.cls),
            patch: finite(losses.patch),
            gradient_norm: finite(done.gradient_norm / steps),
            teacher_entropy: finite(monitor.teacher_entropy),
            agreement: monitor.agreement,
            lr: now.lr,
            weight_decay: now.weight_decay,
            momentum: now.momentum,
            teacher_temp: now.teacher_temp,
            teacher_patch_temp: now.teacher_patch_temp,
            prototype_usage: done.used.iter().filter(|used| **used).count() as f64
                / done.used.len().max(1) as f64,
            skipped_steps: done.skipped,
            loss_scale: done.loss_scale.map(LossScale::factor),
            images_per_second: done.images as f64 / seconds,
            waiting: (done.waited.as_secs_f64() / seconds).min(1.0),
            memory_mib: process::resident_mib(),
        }
    }
}

/// JSON has no other numbers.
fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}
