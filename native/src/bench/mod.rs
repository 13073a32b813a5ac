//! `ibot bench`: how fast a training step is on this machine, where its time goes, and what memory
//! it takes.

mod arithmetic;
mod batches;
mod exchange;
mod loading;
mod phases;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::image::augment::CropsConfig;
use ibot_core::optim::schedule::{Schedules, StepValues};
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::{self, Activations, TrainState};
use serde::Serialize;

use self::batches::Batches;
use self::phases::{Phases, Stopwatch, TimedEngine};
use crate::device;
use crate::device::DeviceChoice;
use crate::exchange::Team;
use crate::pretrain::engine::WorkerEngine;
use crate::pretrain::threads::Threads;
use crate::process;
use crate::settings::{RECIPES, Settings};

/// What `ibot bench --help` says beyond its options.
pub const HELP: &str = "\
Examples:
  ibot bench --recipe vit-small-imagenet --set optim.batch_size=4
  ibot bench --recipe cpu-quick --set model.dim=192 --shards 1 --json
  ibot bench --recipe vit-small-imagenet --loading
  ibot bench --recipe vit-base-imagenet --exchange

A step is measured on random crops, without decoding and augmentation, as training computes it: on a CPU one shard a
core. Seconds a step are the shortest and the mean of --steps; other work on the machine makes them longer, never
shorter. Phases are then measured in steps of their own that wait for the device between phases, while all shards run.
FLOP/s count the matrix products of the configuration, two operations a multiply-accumulate, against those of a large
matrix product in optim.precision on the same device and threads. Memory is resident memory of the whole process (Linux).

--loading measures decoding and augmentation instead: a 400 x 400 image in memory to the recipe's crops on one thread,
and 500 x 375 JPEGs (drawn, quality 90) decoded and augmented on one thread and on all cores.

--exchange measures how long workers take to add up the gradients of the recipe's network, from the device and back:
docs/scale.md has figures.";

/// Options of `ibot bench`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct BenchArgs {
    /// Settings inside the program
    #[arg(long, default_value = "builtin", conflicts_with = "config", value_parser = clap::builder::PossibleValuesParser::new(RECIPES.map(|(name, _)| name)))]
    recipe: String,
    /// Settings in a TOML file, such as the config.toml of a run
    #[arg(long)]
    config: Option<PathBuf>,
    /// Change one setting, for example optim.batch_size=4; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Steps to measure
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Steps before that
    #[arg(long, value_name = "N", default_value_t = 2)]
    warmup: u32,
    /// Shards of a batch computed at the same time [default: that of the settings; one a core on a
    /// CPU]
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Measure decoding and augmentation in place of the step
    #[arg(long)]
    loading: bool,
    /// Measure the sum of gradients over N workers in place of the step: threads, or all processes
    /// of mpirun
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "2", conflicts_with = "loading", value_parser = clap::value_parser!(u16).range(2..))]
    exchange: Option<u16>,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

/// Runs `ibot bench`.
///
/// # Errors
/// If the settings or the device cannot be used.
pub fn run(args: &BenchArgs) -> Result<()> {
    let settings = match &args.config {
        Some(file) => Settings::from_file(file, &args.set)?,
        None => Settings::from_recipe(&args.recipe, &args.set)?,
    };
    if args.loading {
        return show(&loading::measure(&settings.config)?, args.json);
    }
    if let Some(workers) = args.exchange {
        let device = device::select(args.device)?.device;
        let report = exchange::measure(&settings, workers.into(), &device, args.steps)?;
        return report.iter().try_for_each(|report| show(report, args.json));
    }
    show(&measure(args, &settings)?, args.json)
}

fn show<T: Serialize + std::fmt::Display>(report: &T, json: bool) -> Result<()> {
    if json {
        println!(
            "{}",
            serde_json::to_string(report).context("cannot write JSON")?
        );
    } else {
        println!("{report}");
    }
    Ok(())
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    /// The network and its crops, in words.
    configuration: String,
    device: String,
    shards: usize,
    /// Images that a shard takes at a time.
    micro_batch: usize,
    batch_size: usize,
    steps: u32,
    /// The shortest step.
    seconds_per_step: f64,
    mean_seconds_per_step: f64,
    /// Of all cores; other work on the machine hardly changes it.
    processor_seconds_per_step: Option<f64>,
    /// At the shortest step.
    images_per_second: f64,
    flop_per_step: f64,
    flop_per_second: f64,
    matmul_flop_per_second: f64,
    /// Before the first step, with the networks made.
    memory_start_mib: Option<u64>,
    memory_after_warmup_mib: Option<u64>,
    memory_after_steps_mib: Option<u64>,
    memory_peak_mib: Option<u64>,
    phases: Phases,
}

fn measure(args: &BenchArgs, settings: &Settings) -> Result<Report> {
    let selected = device::select(args.device)?;
    selected.check(settings.config.optim.precision)?;
    let (config, batch_size) = (&settings.config, settings.config.optim.batch_size);
    let mut run = settings.run.clone();
    run.shards = args.shards.unwrap_or(run.shards);
    run.resolve(config, selected.is_cpu, device::cores().get());
    let count = run.shards.min(batch_size);
    let threads = Threads::new(count, false).context("cannot start threads")?;
    let team = Team::alone(batch_size);
    let mut bench = Bench {
        config,
        threads: &threads,
        team: &team,
        activations: settings.run.activations(),
        batches: Batches::new(config, run.micro_batches(batch_size), &selected.device),
        now: late_step(config),
        state: TrainState::fresh(config, settings.run.seed, &selected.device),
        step: 0,
        overflowed: false,
    };
    let memory_start_mib = process::resident_mib();
    for _ in 0..args.warmup {
        bench.step()?;
    }
    // In f16 the first steps find the loss scale: they are skipped, and take less time.
    while bench.overflowed {
        bench.step()?;
    }
    let memory_after_warmup_mib = process::resident_mib();
    let busy = process::processor_time();
    let times = (0..args.steps)
        .map(|_| bench.step())
        .collect::<Result<Vec<_>>>()?;
    let busy = process::processor_time()
        .zip(busy)
        .map(|(end, start)| end.saturating_sub(start));
    let (memory_after_steps_mib, memory_peak_mib) = (process::resident_mib(), process::peak_mib());

    let phases = bench.phases(args.steps.min(PHASE_STEPS))?;
    let seconds_per_step = times.iter().min().map_or(0.0, Duration::as_secs_f64);
    let flop_per_step = bench.batches.flop_per_step();
    let matmul_flop_per_second =
        arithmetic::matmul_peak(&threads, count, &selected, config.optim.precision);
    Ok(Report {
        configuration: describe(config),
        device: selected.description,
        shards: count,
        micro_batch: run.micro_batch,
        batch_size,
        steps: args.steps,
        seconds_per_step,
        mean_seconds_per_step: times.iter().sum::<Duration>().as_secs_f64() / f64::from(args.steps),
        processor_seconds_per_step: busy.map(|busy| busy.as_secs_f64() / f64::from(args.steps)),
        images_per_second: batch_size as f64 / seconds_per_step,
        flop_per_step,
        flop_per_second: flop_per_step / seconds_per_step,
        matmul_flop_per_second,
        memory_start_mib,
        memory_after_warmup_mib,
        memory_after_steps_mib,
        memory_peak_mib,
        phases,
    })
}

/// Most steps that phases are measured in.
const PHASE_STEPS: u32 = 10;

/// A run reduced to its steps.
struct Bench<'a> {
    config: &'a Config,
    threads: &'a Threads,
    team: &'a Team,
    activations: Activations,
    batches: Batches<'a>,
    now: StepValues,
    state: TrainState,
    step: usize,
    /// Whether the last step was skipped for its loss scale.
    overflowed: bool,
}

impl<'a> Bench<'a> {
    /// One step as training takes it, and its time until the device has finished it.
    fn step(&mut self) -> Result<Duration> {
        let batch = self.batches.host(self.step);
        let start = Instant::now();
        let batch = self.batches.to_device(batch);
        let engine = self.engine();
        let taken = pretrain::step(&mut self.state, batch, &self.now, self.config, &engine);
        let report = block_on(taken).with_context(|| format!("step {}", self.step))?;
        self.batches.device.sync().context("the device failed")?;

        self.overflowed = report.overflowed();
        self.step += 1;
        Ok(start.elapsed())
    }

    /// The phases of `steps` further steps.
    fn phases(&mut self, steps: u32) -> Result<Phases> {
        let device = self.batches.device.clone();
        let sums = Arc::new(Mutex::new(Phases::default()));
        let mut data = 0.0;
        for _ in 0..steps {
            let batch = self.batches.host(self.step);
            let mut stopwatch = Stopwatch::start(&device);
            let batch = self.batches.to_device(batch);
            data += stopwatch.lap();

            let engine = TimedEngine::new(self.engine(), &device, &sums);
            let taken = pretrain::step(&mut self.state, batch, &self.now, self.config, &engine);
            block_on(taken).with_context(|| format!("step {}", self.step))?;
            self.step += 1;
        }

        let mut phases = *sums.lock().unwrap_or_else(PoisonError::into_inner);
        phases.data = data;
        Ok(phases.per_step(steps))
    }

    /// What carries out the next step.
    fn engine(&self) -> WorkerEngine<'a> {
        WorkerEngine {
            team: self.team,
            threads: self.threads,
            activations: self.activations,
            batch_size: self.config.optim.batch_size,
            seed: 0,
            step: self.step,
        }
    }
}

/// The values of a step in the middle of training, when everything is trained.
fn late_step(config: &Config) -> StepValues {
    let schedules = Schedules::new(
        &config.optim,
        &config.teacher,
        config.mask.pred_start_epoch,
        1,
    );
    StepValues {
        freeze_last_layer: false,
        ..schedules.at(schedules.total_steps() / 2)
    }
}

fn describe(config: &Config) -> String {
    let backbone = config.backbone();
    format!(
        "dim {}, depth {}, heads {}, patch {}; {}; batch {}; K {}; {}",
        backbone.dim(),
        backbone.depth(),
        backbone.heads(),
        backbone.stride(),
        describe_crops(&config.crops),
        config.optim.batch_size,
        config.head.out_dim,
        config.optim.precision
    )
}

fn describe_crops(crops: &CropsConfig) -> String {
    let CropsConfig {
        global_crops_number,
        global_size,
        local_crops_number,
        local_size,
        ..
    } = crops;
    format!("{global_crops_number} x {global_size} + {local_crops_number} x {local_size}")
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib =
            |value: Option<u64>| value.map_or("unknown".to_owned(), |mib| format!("{mib} MiB"));
        writeln!(f, "network {}", self.configuration)?;
        writeln!(
            f,
            "device  {}, {} shards, {} images of each at a time",
            self.device, self.shards, self.micro_batch
        )?;
        writeln!(
            f,
            "step    {:.4} s (shortest of {}; mean {:.4} s), {:.2} img/s",
            self.seconds_per_step, self.steps, self.mean_seconds_per_step, self.images_per_second
        )?;
        if let Some(busy) = self.processor_seconds_per_step {
            writeln!(
                f,
                "        {busy:.4} s of processor time, all cores together"
            )?;
        }
        writeln!(
            f,
            "compute {:.2} GFLOP a step: {:.1} GFLOP/s, {:.0} % of a large matrix product's {:.1}",
            self.flop_per_step / 1e9,
            self.flop_per_second / 1e9,
            100.0 * self.flop_per_second / self.matmul_flop_per_second,
            self.matmul_flop_per_second / 1e9
        )?;
        writeln!(
            f,
            "memory  {} at the peak; {} before the first step, {} after the warm-up, {} after all",
            mib(self.memory_peak_mib),
            mib(self.memory_start_mib),
            mib(self.memory_after_warmup_mib),
            mib(self.memory_after_steps_mib)
        )?;
        write!(f, "{}", self.phases)
    }
}
