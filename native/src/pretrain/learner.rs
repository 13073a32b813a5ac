//! iBOT as something that a run trains: one worker with its replica of the state.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::model::{Backbone, Head};
use ibot_core::optim::LossScale;
use ibot_core::pretrain::{
    self, HostBatch, Losses, Monitor, Snapshot, StepReport, StepValues, TrainState,
};
use ibot_core::weights::ModelHeader;

use super::charts::charts;
use super::collapse::CollapseWatch;
use super::multi_crop::batches;
use super::plan::Plan;
use super::preview::save_preview;
use crate::data::Dataset;
use crate::exchange::{Stop, Team};
use crate::model::{TEACHER_FILE, save_backbone};
use crate::run::curves::ChartSpec;
use crate::run::learner::{Learner, StepOutcome};
use crate::run::means::Means;
use crate::run::not_finite::NotFinite;
use crate::run::report::{Coverage, Report};
use crate::run::run_dir::RunDir;
use crate::run::seat::WorkerOptions;
use crate::run::supply::{Supplied, Supply};
use crate::run::threads::Threads;
use crate::run::worker_engine::{NoStep, WorkerEngine};

/// A worker of a run of iBOT, which owns its replica of the training state.
pub struct Pretrainer<'a> {
    team: &'a Team,
    device: Device,
    plan: Arc<Plan>,
    state: TrainState,
    supply: Supply<HostBatch>,
    threads: Threads,
    collapse: CollapseWatch,
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
        let loader = batches(data, settings, options.loader_threads, step, team.share());

        Ok(Self {
            team,
            device: options.device.clone(),
            state,
            supply: Supply::new(loader, team, &settings.run, interrupted),
            threads: threads.context("cannot start threads")?,
            collapse: CollapseWatch::new(settings.config.head.out_dim),
            plan,
        })
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
    const PRODUCT: (&'static str, &'static str) = (TEACHER_FILE, "teacher");

    const DIVERGED_ADVICE: &'static str = "Think of a lower optim.lr or optim.clip_grad, \
         head.norm_last_layer = true, or a teacher temperature of 0.04";

    fn step(
        &mut self,
        step: usize,
        stop: Option<Stop>,
        warn: &mut dyn FnMut(&str),
    ) -> Result<StepOutcome> {
        let (micro_batches, waited) = match self.supply.next(self.team, stop, warn)? {
            Supplied::Batch {
                micro_batches,
                waited,
            } => (micro_batches, waited),
            Supplied::Stopped(stop) => return Ok(StepOutcome::Stopped(stop)),
        };
        let mut batch = Vec::new();
        for micro_batch in micro_batches {
            batch.push(micro_batch.into_batch(&self.device));
        }

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

    fn evaluated(&self) -> Backbone {
        self.state.teacher.backbone.clone()
    }

    fn head(&self) -> Option<&Head> {
        Some(&self.state.teacher.head)
    }

    fn publish(&self, path: &Path, model: &ModelHeader) -> Result<()> {
        save_backbone(path, &self.state.teacher.backbone, model)
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
