//! Fine-tuning as something that a run trains: one worker with its replica of the state.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use burn::module::Module as _;
use futures_lite::future::block_on;
use ibot_core::features::PatchMean;
use ibot_core::finetune::mix::Mixing;
use ibot_core::finetune::{
    self, FinetuneReport, FinetuneState, FinetuneValues, HostLabelledBatch, LabelledBatch,
};
use ibot_core::model::Backbone;
use ibot_core::optim::LossScale;
use ibot_core::pretrain::Snapshot;
use ibot_core::rng::{Purpose, stream};
use ibot_core::weights::{self, HeadHeader, HeadTensors, ModelHeader, Weights};

use super::charts::charts;
use super::plan::FinetunePlan;
use super::preview::save_preview;
use super::samples::batches;
use crate::data::Dataset;
use crate::exchange::Stop;
use crate::linear_head::{LinearHeads, StoredHead, save_classifier};
use crate::model::CLASSIFIER_FILE;
use crate::run::curves::ChartSpec;
use crate::run::learner::{Learner, StepOutcome};
use crate::run::means::Means;
use crate::run::not_finite::NotFinite;
use crate::run::report::Report;
use crate::run::run_dir::RunDir;
use crate::run::seat::Seat;
use crate::run::supply::{Supplied, Supply};
use crate::run::threads::Threads;
use crate::run::worker_engine::{NoStep, WorkerEngine};

/// A worker of a run of fine-tuning, which owns its replica of the training state.
pub struct Finetuner<'a> {
    seat: &'a Seat,
    plan: Arc<FinetunePlan>,
    state: FinetuneState,
    supply: Supply<HostLabelledBatch>,
    threads: Threads,
}

impl<'a> Finetuner<'a> {
    /// A worker whose `state` is that after `step` steps.
    pub fn new(
        seat: &'a Seat,
        data: Arc<Dataset>,
        plan: Arc<FinetunePlan>,
        (state, step): (FinetuneState, usize),
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self> {
        let Seat { team, options } = seat;
        let settings = &plan.settings;
        let threads = Threads::new(settings.run.shards, options.shares_process);
        let loader = batches(data, settings, options.loader_threads, step, team.share());

        Ok(Self {
            seat,
            state,
            supply: Supply::new(loader, team, &settings.run, interrupted),
            threads: threads.context("cannot start threads")?,
            plan,
        })
    }

    /// The images on the device, mixed and with their targets. Partners of a mixture are images of
    /// the same worker, as in the official code.
    fn mixed(&self, mut batch: Vec<HostLabelledBatch>, step: usize) -> Result<Vec<LabelledBatch>> {
        let config = &self.plan.settings.config;
        let size = config.model.image_size;
        let classes = self.plan.classes.len();

        let rank = self.seat.team.rank() as u64;
        let seed = self.plan.settings.run.seed;
        let rng = &mut stream(seed, Purpose::Mix, step as u64, rank);
        let mixing = Mixing::draw(&config.mix, size, rng);

        let mut images = Vec::new();
        let mut labels = Vec::new();
        for micro_batch in &mut batch {
            labels.extend_from_slice(&micro_batch.labels);
            images.extend(micro_batch.planes());
        }
        mixing.apply(&mut images, size);
        let mut targets = mixing.targets(&labels, classes, config.mix.label_smoothing)?;

        let device = &self.seat.options.device;
        let on_device = batch
            .into_iter()
            .map(|micro_batch| micro_batch.into_batch(&mut targets, classes, device));
        Ok(on_device.collect())
    }

    /// The classifier and what it reads of an image that `model` sees.
    fn head(&self, model: &ModelHeader) -> Result<(HeadTensors, HeadHeader)> {
        let network = &self.state.network;
        let mut layer: Weights = block_on(weights::read(&network.classifier))?;
        let mut take = |name: &str| {
            let weight = layer.remove(name);
            weight.with_context(|| format!("the classifier has no {name}"))
        };
        let head = HeadTensors::new("classifier.weight", take("weight")?, take("bias")?)?;

        let pooling = network.readout().pooling();
        let header = HeadHeader {
            classes: self.plan.classes.clone(),
            cls_blocks: pooling.cls_blocks,
            patch_mean: pooling.patch_mean == PatchMean::Normed,
            size: self.plan.settings.config.model.image_size,
            resize: model.eval_resize,
        };
        Ok((head, header))
    }
}

fn report(report: FinetuneReport, now: &FinetuneValues) -> Report {
    let mut scheduled = vec![("lr", now.lr), ("weight_decay", now.weight_decay)];
    let loss_scale = report.loss_scale.map(LossScale::factor);
    scheduled.extend(loss_scale.map(|factor| ("loss_scale", factor)));

    Report {
        loss: report.loss,
        measured: vec![
            ("accuracy", report.accuracy),
            ("gradient_norm", report.norms.total()),
        ],
        scheduled,
        not_finite: not_finite(&report),
        coverage: None,
    }
}

/// What of a step was not finite, if it was skipped.
fn not_finite(report: &FinetuneReport) -> Option<NotFinite> {
    if report.applied {
        return None;
    }
    let losses = [("loss", report.loss)];
    let loss_scale = report.loss_scale.filter(|_| report.overflowed());
    let loss_scale = loss_scale.map(LossScale::factor);
    Some(NotFinite::among(&losses, &report.norms, loss_scale))
}

impl Learner for Finetuner<'_> {
    const PRODUCT: (&'static str, &'static str) = (CLASSIFIER_FILE, "backbone and classifier");

    const BEST_BY: Option<(&'static str, &'static str)> = Some(("accuracy", "top1"));

    const DIVERGED_ADVICE: &'static str = "Think of a lower optim.lr, or of optim.clip_grad = 1";

    fn step(
        &mut self,
        step: usize,
        stop: Option<Stop>,
        warn: &mut dyn FnMut(&str),
    ) -> Result<StepOutcome> {
        let team = &self.seat.team;
        let (batch, waited) = match self.supply.next(team, stop, warn)? {
            Supplied::Batch {
                micro_batches,
                waited,
            } => (micro_batches, waited),
            Supplied::Stopped(stop) => return Ok(StepOutcome::Stopped(stop)),
        };
        let batch = self.mixed(batch, step)?;

        let config = &self.plan.settings.config;
        let run = &self.plan.settings.run;
        let engine = WorkerEngine {
            team,
            threads: &self.threads,
            activations: run.activations(),
            batch_size: config.optim.batch_size,
            seed: run.seed,
            step,
        };
        let now = self.plan.schedules.at(step);
        let taken = finetune::step(&mut self.state, batch, &now, config, &engine);
        match block_on(taken) {
            Ok(taken) => Ok(StepOutcome::Done {
                report: report(taken, &now),
                waited,
            }),
            Err(NoStep::Stopped(stop)) => Ok(StepOutcome::Stopped(stop)),
            Err(NoStep::Failed(error)) => Err(error),
        }
    }

    fn snapshot(&self) -> Result<Snapshot> {
        Ok(block_on(self.state.snapshot())?)
    }

    fn evaluated(&self) -> Backbone {
        // Low-rank changes are added to the weights, which evaluations read.
        self.state.network.backbone.valid().materialize()
    }

    fn linear_heads(&self, model: &ModelHeader) -> Result<Option<LinearHeads>> {
        let (tensors, header) = self.head(model)?;
        let head = StoredHead {
            tensors,
            header,
            is_described: true,
        };
        Ok(Some(LinearHeads::only(model.clone(), head)))
    }

    fn publish(&self, path: &Path, model: &ModelHeader) -> Result<()> {
        let (head, header) = self.head(model)?;
        save_classifier(path, &self.evaluated(), model, head, &header)
    }

    fn preview(&self, data: &Dataset, dir: &RunDir) -> Result<()> {
        save_preview(data, &self.plan.settings, dir)
    }

    fn summary(means: &Means) -> String {
        let number = |name| means.get(name).unwrap_or(f64::NAN);
        format!(
            "loss {:.3}  accuracy {:.1} %  lr {:.1e}",
            number("loss"),
            100.0 * number("accuracy"),
            number("lr")
        )
    }

    fn inspect(&mut self, _epoch: &Means) -> Vec<String> {
        Vec::new()
    }

    fn charts(&self) -> Vec<ChartSpec> {
        charts(Some(self.plan.classes.len()))
    }
}
