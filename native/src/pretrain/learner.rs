//! iBOT as something that a run trains: one worker with its replica of the state.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::model::{Backbone, Head};
use ibot_core::optim::LossScale;
use ibot_core::pretrain::{
    self, Batch, HostBatch, Losses, Monitor, Snapshot, StepReport, StepValues, TrainState,
};

use super::charts::charts;
use super::collapse::CollapseWatch;
use super::engine::{NoStep, WorkerEngine};
use super::multi_crop::batches;
use super::plan::Plan;
use super::preview::save_preview;
use super::threads::Threads;
use crate::data::Dataset;
use crate::data::loader::Loader;
use crate::exchange::{Stop, Team};
use crate::run::curves::ChartSpec;
use crate::run::learner::{Learner, StepOutcome};
use crate::run::means::Means;
use crate::run::not_finite::NotFinite;
use crate::run::report::{Coverage, Report};
use crate::run::run_dir::RunDir;

/// Where a worker computes, and with what.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    pub device: Device,
    pub loader_threads: NonZeroUsize,
    /// Whether the process has other workers.
    pub shares_process: bool,
}

/// A worker of a run of iBOT, which owns its replica of the training state.
pub struct Pretrainer<'a> {
    team: &'a Team,
    device: Device,
    plan: Arc<Plan>,
    state: TrainState,
    loader: Loader<HostBatch>,
    threads: Threads,
    collapse: CollapseWatch,
    interrupted: Arc<AtomicBool>,
}

impl<'a> Pretrainer<'a> {
    /// A worker whose `state` is that after `step` steps.
    pub fn new(
        team: &'a Team,
        options: &WorkerOptions,
        data: Arc<Dataset>,
        plan: Arc<Plan>,
        (state, step): (TrainState, usize),
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self> {
        let settings = &plan.settings;
        let threads = Threads::new(settings.run.shards, options.shares_process);
        let loader_threads = options.loader_threads;

        Ok(Self {
            team,
            device: options.device.clone(),
            state,
            loader: batches(data, settings, loader_threads, step, team.share()),
            threads: threads.context("cannot start threads")?,
            collapse: CollapseWatch::new(settings.config.head.out_dim),
            interrupted,
            plan,
        })
    }

    /// This worker's share of the next batch; `None` if the run is interrupted meanwhile.
    fn next_batch(&mut self, warn: &mut dyn FnMut(&str)) -> Result<Option<Vec<Batch>>> {
        // A worker that waits for images without end would keep all others waiting.
        let has_others = self.team.size() > 1;
        let timeout = has_others.then(|| self.plan.settings.run.exchange_patience());
        let Some(delivery) = self.loader.next(&self.interrupted, timeout)? else {
            return Ok(None);
        };

        for message in &delivery.skipped {
            warn(&format!("{message} (skipped)"));
        }
        let mut batch = Vec::new();
        for micro_batch in delivery.micro_batches? {
            batch.push(micro_batch.into_batch(&self.device));
        }
        Ok(Some(batch))
    }

    fn report(&self, report: StepReport, now: &StepValues) -> Report {
        let mut scheduled = vec![
            ("lr", now.lr),
            ("weight_decay", now.weight_decay),
            ("momentum", now.momentum),
            ("teacher_temp", now.teacher_temp),
            ("teacher_patch_temp", now.teacher_patch_temp),
        ];
        let loss_scale = report.loss_scale.map(LossScale::factor);
        scheduled.extend(loss_scale.map(|factor| ("loss_scale", factor)));

        // Names every field, so that a further loss cannot be forgotten here.
        let Losses {
            total,
            cls,
            patch,
            koleo,
            gram,
        } = report.losses;
        let Monitor {
            teacher_entropy,
            agreement,
        } = report.monitor;
        let mut measured = vec![
            ("cls", cls),
            ("patch", patch),
            ("gradient_norm", report.norms.total()),
            ("teacher_entropy", teacher_entropy),
            ("agreement", agreement),
        ];
        if self.plan.settings.config.loss.koleo_loss_weight > 0.0 {
            measured.push(("koleo", koleo));
        }
        if now.anchored {
            measured.push(("gram", gram));
        }
        Report {
            loss: total,
            measured,
            scheduled,
            not_finite: not_finite(&report),
            coverage: Some(Coverage {
                name: "prototype_usage",
                met: report.prototypes,
                size: self.plan.settings.config.head.out_dim,
            }),
        }
    }
}

/// What of a step was not finite, if it was skipped.
fn not_finite(report: &StepReport) -> Option<NotFinite> {
    if report.applied {
        return None;
    }
    // The total is finite if its terms are.
    let Losses {
        total: _,
        cls,
        patch,
        koleo,
        gram,
    } = report.losses;
    let losses = [
        ("cls loss", cls),
        ("patch loss", patch),
        ("KoLeo loss", koleo),
        ("Gram loss", gram),
    ];
    let loss_scale = report.loss_scale.filter(|_| report.overflowed());
    let loss_scale = loss_scale.map(LossScale::factor);
    Some(NotFinite::among(&losses, &report.norms, loss_scale))
}

impl Learner for Pretrainer<'_> {
    const DIVERGED_ADVICE: &'static str = "Think of a lower optim.lr or optim.clip_grad, \
         head.norm_last_layer = true, or a teacher temperature of 0.04";

    fn step(
        &mut self,
        step: usize,
        stop: Option<Stop>,
        warn: &mut dyn FnMut(&str),
    ) -> Result<StepOutcome> {
        let begin = Instant::now();
        let batch = match stop {
            Some(stop) => Err(stop),
            None => self.next_batch(warn)?.ok_or(Stop::Interrupted),
        };
        let waited = begin.elapsed();

        let batch = match batch {
            Ok(batch) => batch,
            Err(stop) => {
                // The others are at the vote of their step.
                let voted = self.team.vote(Some(stop))?;
                return Ok(StepOutcome::Stopped(voted.unwrap_or(stop)));
            }
        };

        let config = &self.plan.settings.config;
        let run = &self.plan.settings.run;
        let engine = WorkerEngine {
            team: self.team,
            threads: &self.threads,
            activations: run.activations(),
            batch_size: config.optim.batch_size,
            seed: run.seed,
            step,
        };
        let now = self.plan.schedules.at(step);
        match block_on(pretrain::step(
            &mut self.state,
            batch,
            &now,
            config,
            &engine,
        )) {
            Ok(report) => {
                let report = self.report(report, &now);
                Ok(StepOutcome::Done { report, waited })
            }
            Err(NoStep::Stopped(stop)) => Ok(StepOutcome::Stopped(stop)),
            Err(NoStep::Failed(error)) => Err(error),
        }
    }

    fn snapshot(&self) -> Result<Snapshot> {
        Ok(block_on(self.state.snapshot())?)
    }

    fn backbone(&self) -> &Backbone {
        &self.state.teacher.backbone
    }

    fn head(&self) -> Option<&Head> {
        Some(&self.state.teacher.head)
    }

    fn preview(&self, data: &Dataset, dir: &RunDir) -> Result<()> {
        save_preview(data, &self.plan.settings, dir)
    }

    fn summary(means: &Means) -> String {
        format!(
            "loss {} (CLS {}, patch {})  lr {:.1e}",
            in_three_digits(means.get("loss")),
            in_three_digits(means.get("cls")),
            in_three_digits(means.get("patch")),
            means.get("lr").unwrap_or(f64::NAN)
        )
    }

    fn inspect(&mut self, epoch: &Means) -> Vec<String> {
        self.collapse.inspect(epoch).into_iter().collect()
    }

    fn charts(&self) -> Vec<ChartSpec> {
        charts(self.plan.settings.config.head.out_dim)
    }
}

fn in_three_digits(value: Option<f64>) -> String {
    value.map_or("not finite".to_owned(), |value| format!("{value:.3}"))
}
