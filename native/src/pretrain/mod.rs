//! `ibot pretrain`: a run from its settings to its teacher.

mod checkpoint;
mod loader;
mod metrics;
mod plan;
mod progress;
mod run_dir;
mod shards;
mod watch;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow, bail};
use burn::tensor::{Device, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::augment::multi_crop;
use ibot_core::config::Config;
use ibot_core::knn::KnnAccuracy;
use ibot_core::model::{Network, VitConfig};
use ibot_core::rng::{Purpose, crop_stream, stream};
use ibot_core::train::{Batch, TrainState};
use ibot_core::weights::ModelHeader;

use self::loader::{HostBatch, Loader};
use self::metrics::{Metrics, Record, Window};
use self::plan::Plan;
use self::progress::Progress;
use self::run_dir::RunDir;
use self::shards::Shards;
use self::watch::Watch;
use crate::data::Dataset;
use crate::device::{self, DeviceChoice};
use crate::features::EvalView;
use crate::files::write_atomically;
use crate::knn::{Space, Split, evaluate, headline};
use crate::model::{read_checkpoint, save_backbone};
use crate::recipe::Settings;
use crate::report::png::save_png;
use crate::report::preview::{PreviewRow, preview};

/// Images in `preview.png`.
const PREVIEW_IMAGES: usize = 4;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct PretrainRequest {
    /// The settings; of a resumed run, its own.
    pub settings: Settings,
    /// Name for a folder that is not given.
    pub name: String,
    /// The run's folder.
    pub out: Option<PathBuf>,
    /// Whether to continue the run in `out`.
    pub resume: bool,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Complete,
    /// It was interrupted, and is saved.
    Interrupted,
}

/// Runs pre-training until it is complete or `interrupted` is set; its state is saved either way.
///
/// # Errors
/// If the data, the device or the folder cannot be used, or training diverges.
pub fn pretrain(request: PretrainRequest, interrupted: &AtomicBool) -> Result<Ending> {
    let data = Arc::new(Dataset::open(&request.settings.run.data)?);
    let selected = device::select(request.device)?;
    let mut settings = request.settings;
    if settings.run.shards == 0 {
        let cores = device::cores().get();
        settings.run.shards = if selected.is_cpu { cores.min(settings.config.optim.batch_size) } else { 1 };
    }
    let plan = Plan::new(settings, data.len())?;
    let dir = match (&request.out, request.resume) {
        (Some(out), true) => RunDir::open(out)?,
        (None, true) => bail!("--resume needs --out, the folder of the run to continue"),
        (out, false) => RunDir::create(out.as_deref(), &request.name)?,
    };
    println!("data    {}\ndevice  {}\nout     {}", data.description(), selected.description, dir.path().display());
    plan.notes.iter().for_each(|note| println!("        {note}"));
    plan.warnings.iter().for_each(|warning| println!("warning {warning}"));
    if !request.resume {
        println!("\n{}", plan.settings.to_toml());
        write_atomically(&dir.config(), plan.to_toml().as_bytes())?;
        save_preview(&data, &plan.settings, &dir)?;
    }
    let (run, state) = Run::start(data, plan, selected.device, dir, request.resume)?;
    run.train(state, interrupted)
}

/// A run under way; the training state passes from step to step beside it.
struct Run {
    data: Arc<Dataset>,
    plan: Plan,
    device: Device,
    dir: RunDir,
    workers: NonZeroUsize,
    metrics: Metrics,
    /// Steps done.
    step: usize,
}

impl Run {
    fn start(data: Arc<Dataset>, plan: Plan, device: Device, dir: RunDir, resume: bool) -> Result<(Self, TrainState)> {
        let Config { head, .. } = &plan.settings.config;
        let seed = plan.settings.run.seed;
        let tracked = device.clone().autodiff();
        let vit = plan.settings.config.vit();
        let mut student = Network::init(&vit, head, &tracked, &mut stream(seed, Purpose::Init, 0, 0));
        if let (Some(file), false) = (&plan.settings.run.init, resume) {
            let checkpoint = read_checkpoint(file.as_ref(), None)?;
            let (started, report) =
                checkpoint.start(student, &vit).with_context(|| format!("cannot start from {file}"))?;
            println!("init    {file}: {report}");
            student = started;
        }
        let patch_out_dim = if head.shared_head { head.out_dim } else { head.patch_out_dim };
        let mut state = TrainState::new(student, head.shared_head, head.out_dim, patch_out_dim, &tracked);
        let mut step = 0;
        if resume {
            (state, step) = checkpoint::load(&dir.last_checkpoint(), state, seed)?;
            println!("resumed after step {step}");
        }
        let metrics = Metrics::open(&dir, step, head.out_dim)?;
        let workers = NonZeroUsize::new(plan.settings.run.workers).unwrap_or(device::cores());
        Ok((Self { data, plan, device, dir, workers, metrics, step }, state))
    }

    /// All remaining steps, in order.
    fn train(mut self, mut state: TrainState, interrupted: &AtomicBool) -> Result<Ending> {
        let settings = self.plan.settings.clone();
        let (config, run) = (&settings.config, &settings.run);
        let schedules = self.plan.schedules.clone();
        let (total, per_epoch) = (schedules.total_steps(), schedules.steps_per_epoch());
        if self.step == 0 && run.knn_every > 0 {
            self.knn(&state, 0)?.iter().for_each(|line| println!("{line}"));
        }
        let mut loader = Loader::new(self.data.clone(), &settings, self.workers, self.step);
        let mut progress = Progress::new(total, self.step, config.optim.batch_size);
        let threads = Shards::new(run.shards).context("cannot start threads")?;
        let mut watch = Watch::new(config.head.out_dim, run.max_skipped);
        let windows = || (Window::new(config.head.out_dim), Window::new(config.head.out_dim));
        let (mut window, mut whole_epoch) = windows();

        while self.step < total {
            let delivery = loader.next().context("the threads that load images ended unexpectedly")?;
            delivery.skipped.iter().for_each(|message| progress.say(&format!("warning: {message} (skipped)")));
            let shards = match delivery.shards {
                Ok(shards) => shards.into_iter().map(|shard| to_device(shard, config, &self.device)).collect(),
                Err(error) => return Err(self.save_and_report(&state, error.into())),
            };
            let now = schedules.at(self.step);
            let stepped = block_on(threads.step(state, shards, self.step, &now, config, run.seed));
            let (next, report) =
                stepped.with_context(|| format!("step {} on the device; the last checkpoint is kept", self.step))?;
            state = next;
            match watch.step(self.step, &report) {
                Ok(warning) => warning.iter().for_each(|warning| progress.say(&format!("warning: {warning}"))),
                Err(diverged) => return Err(self.save_and_report(&state, diverged.into())),
            }
            let epoch = self.step / per_epoch;
            self.step += 1;
            window.add(&report, config.optim.batch_size);
            whole_epoch.add(&report, config.optim.batch_size);
            progress.step(self.step);

            let epoch_ends = self.step.is_multiple_of(per_epoch);
            if self.step.is_multiple_of(run.log_every) || epoch_ends {
                let means = window.take(self.step, epoch, &now);
                progress.means(&means);
                self.metrics.record(Record::Step(means))?;
            }
            if epoch_ends {
                let means = whole_epoch.take(self.step, epoch, &now);
                watch.epoch(&means).iter().for_each(|warning| progress.say(&format!("warning: {warning}")));
                self.metrics.record(Record::Epoch(means))?;
                let done = epoch + 1;
                if run.knn_every > 0 && (done.is_multiple_of(run.knn_every) || self.step == total) {
                    self.knn(&state, done)?.iter().for_each(|line| progress.say(line));
                }
                let keep = done.is_multiple_of(run.checkpoint_every);
                self.save(&state, keep.then_some(done))?;
                // Neither k-NN nor saving counts towards the next images a second.
                (window, whole_epoch) = windows();
            }
            if interrupted.load(Ordering::Relaxed) && self.step < total {
                if !epoch_ends {
                    self.save(&state, None)?;
                }
                progress.finish();
                println!("stopped after step {} of {total}; continue with --resume", self.step);
                return Ok(Ending::Interrupted);
            }
        }
        progress.finish();
        println!("done: {} (teacher), {} (curves)", self.dir.teacher().display(), self.dir.curves().display());
        Ok(Ending::Complete)
    }

    /// k-NN of the teacher on the run's own images, if they have labels; the line to show.
    fn knn(&mut self, state: &TrainState, epoch: usize) -> Result<Option<String>> {
        let run = &self.plan.settings.run;
        let Some(split) = Split::of_one(&self.data, run.knn_bank, run.knn_queries) else { return Ok(None) };
        let view = EvalView::new(self.plan.settings.config.crops.global_size, run.eval_resize);
        let space = Space::Network(&state.teacher.backbone);
        let accuracies = evaluate(&space, &split, view, self.workers, &self.device)?;
        self.metrics.record_knn(self.step, epoch, &accuracies, split.sizes())?;
        let Some(KnnAccuracy { k, top1, .. }) = headline(&accuracies).copied() else { return Ok(None) };
        let percent = 100.0 * top1;
        let start = if run.init.is_some() { "initial" } else { "untrained" };
        Ok(Some(match self.metrics.untrained(k) {
            Some(untrained) if epoch > 0 => {
                let gain = percent - 100.0 * untrained;
                format!(
                    "k-NN after epoch {epoch}: {percent:.1} % top-1 (k = {k}), {gain:+.1} points on the {start} network"
                )
            }
            _ => format!("k-NN of the {start} network: {percent:.1} % top-1 (k = {k})"),
        }))
    }

    /// Writes the checkpoint, the teacher and the curves; also the checkpoint of an epoch that is to be kept.
    fn save(&self, state: &TrainState, keep_epoch: Option<usize>) -> Result<()> {
        let run = &self.plan.settings.run;
        let kept = keep_epoch.map(|epoch| self.dir.epoch_checkpoint(epoch));
        let header = ModelHeader {
            vit: VitConfig { mask_token: false, ..self.plan.settings.config.vit() },
            eval_resize: run.eval_resize,
            step: self.step,
        };
        checkpoint::save(&self.dir.last_checkpoint(), kept.as_deref(), state, &header, run.seed)?;
        save_backbone(&self.dir.teacher(), &state.teacher.backbone, &header)?;
        self.metrics.draw(&self.dir, &self.dir.path().display().to_string())
    }

    /// Saves what there is before a run ends with `error`.
    fn save_and_report(&self, state: &TrainState, error: anyhow::Error) -> anyhow::Error {
        match self.save(state, None) {
            Ok(()) => error,
            Err(failed) => anyhow!("{error:#}; and the state could not be saved: {failed:#}"),
        }
    }
}

fn to_device(shard: HostBatch, config: &Config, device: &Device) -> Batch {
    let crops = &config.crops;
    let tensor = |values: Vec<f32>, size: usize| {
        let count = values.len() / (3 * size * size);
        Tensor::<4>::from_data(TensorData::new(values, [count, 3, size, size]), device)
    };
    Batch {
        images: shard.masks.len() / crops.global_crops_number,
        globals: tensor(shard.globals, crops.global_size),
        locals: (!shard.locals.is_empty()).then(|| tensor(shard.locals, crops.local_size)),
        masks: shard.masks,
    }
}

/// Draws the crops and masks of a few images as the first epoch will see them.
fn save_preview(data: &Dataset, settings: &Settings, dir: &RunDir) -> Result<()> {
    let (config, seed) = (&settings.config, settings.run.seed);
    let mut rows = Vec::new();
    for index in data.subset(PREVIEW_IMAGES, 0) {
        // The run itself names images that cannot be read.
        let Ok(image) = data.load(index) else { continue };
        let rng = |crop| crop_stream(seed, Purpose::Augment, 0, index, crop);
        let crops = multi_crop(&image, &config.crops, &config.augment, rng);
        let start = config.mask.pred_start_epoch;
        let mask = |crop| config.mask.mask(config.global_grid(), seed, start, index, crop);
        let masks: Vec<_> = (0..crops.globals.len()).map(mask).collect();
        rows.push((image, crops, masks));
    }
    let rows: Vec<PreviewRow> = rows
        .iter()
        .map(|(image, crops, masks)| PreviewRow {
            original: image,
            globals: &crops.globals,
            masks: masks.iter().map(|mask| (mask.rows(), mask.columns(), mask.cells())).collect(),
            locals: &crops.locals,
        })
        .collect();
    save_png(&preview(&rows), &dir.preview())?;
    Ok(())
}
