//! How long a step takes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_lite::future::block_on;
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::{self, Activations, TrainState};
use ibot_core::pretrain::{Schedules, StepValues};
use serde::Serialize;

use super::batches::Batches;
use super::configuration::describe;
use super::matmul;
use super::phases::Phases;
use super::timed_engine::{Stopwatch, TimedEngine};
use crate::device;
use crate::device::DeviceChoice;
use crate::exchange::Team;
use crate::process;
use crate::run::threads::Threads;
use crate::run::worker_engine::WorkerEngine;
use crate::settings::{Settings, student_tokens};

const PHASE_STEPS: u32 = 10;

pub struct Options {
    pub device: DeviceChoice,
    /// In place of that of the settings.
    pub shards: Option<usize>,
    pub warmup: u32,
    pub steps: u32,
}

#[derive(Debug, Serialize)]
pub struct StepFigures {
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

pub fn measure(options: &Options, settings: &Settings) -> Result<StepFigures> {
    let config = &settings.config;
    let batch_size = config.optim.batch_size;
    let selected = device::select(options.device)?;
    selected.check(config.optim.precision)?;

    let mut run = settings.run.clone();
    run.shards = options.shards.unwrap_or(run.shards);
    let tokens = student_tokens(config);
    run.resolve(batch_size, tokens, selected.is_cpu, device::cores().get());
    let shards = run.shards.min(batch_size);
    let threads = Threads::new(shards, false).context("cannot start threads")?;
    let team = Team::alone(batch_size);
    let mut steps = Steps {
        config,
        threads: &threads,
        team: &team,
        activations: run.activations(),
        batches: Batches::new(config, run.micro_batches(batch_size), &selected.device),
        now: late_step(config),
        state: TrainState::fresh(config, run.seed, &selected.device),
        step: 0,
        overflowed: false,
    };

    let memory_start_mib = process::resident_mib();
    for _ in 0..options.warmup {
        steps.take()?;
    }
    // In f16 the first steps find the loss scale: they are skipped, and take less time.
    while steps.overflowed {
        steps.take()?;
    }
    let memory_after_warmup_mib = process::resident_mib();

    let busy_before = process::processor_time();
    let mut times = Vec::new();
    for _ in 0..options.steps {
        times.push(steps.take()?);
    }
    let busy = match (busy_before, process::processor_time()) {
        (Some(before), Some(after)) => Some(after.saturating_sub(before)),
        _ => None,
    };
    let memory_after_steps_mib = process::resident_mib();
    let memory_peak_mib = process::peak_mib();

    // Apart from the steps above, which are not held up to be timed in parts.
    let phases = steps.phases(options.steps.min(PHASE_STEPS))?;
    let matmul_flop_per_second = matmul::peak(&threads, shards, &selected, config.optim.precision);

    let count = f64::from(options.steps);
    // The shortest step is the one that other work disturbed least.
    let seconds_per_step = times.iter().min().map_or(0.0, Duration::as_secs_f64);
    let flop_per_step = steps.batches.flop_per_step();
    Ok(StepFigures {
        configuration: describe(config),
        device: selected.description,
        shards,
        micro_batch: run.micro_batch,
        batch_size,
        steps: options.steps,
        seconds_per_step,
        mean_seconds_per_step: times.iter().sum::<Duration>().as_secs_f64() / count,
        processor_seconds_per_step: busy.map(|busy| busy.as_secs_f64() / count),
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

struct Steps<'a> {
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

impl<'a> Steps<'a> {
    /// One step as training takes it, and its time until the device has finished it.
    fn take(&mut self) -> Result<Duration> {
        let batch = self.batches.host(self.step);
        let start = Instant::now();
        let batch = self.batches.to_device(batch);
        let engine = self.engine();
        let taken = pretrain::step(&mut self.state, batch, &self.now, self.config, &engine);
        let report = block_on(taken).with_context(|| format!("step {}", self.step))?;
        // Until then a GPU has only queued the work.
        self.batches.device.sync().context("the device failed")?;

        self.overflowed = report.overflowed();
        self.step += 1;
        Ok(start.elapsed())
    }

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
    let schedules = Schedules::new(config, 1);
    StepValues {
        freeze_last_layer: false,
        ..schedules.at(schedules.total_steps() / 2)
    }
}

impl fmt::Display for StepFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

fn mib(value: Option<u64>) -> String {
    match value {
        Some(mib) => format!("{mib} MiB"),
        None => "unknown".to_owned(),
    }
}
