//! The leader's part of a run, up to its first step.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use burn::tensor::Device;

use super::checkpoint::load;
use super::clock::Clock;
use super::devices::RunDevices;
use super::display::Display;
use super::evaluator::Evaluator;
use super::job::{Job, ResolvedRun, RunData};
use super::leader::Leader;
use super::learner::Learner;
use super::listeners::Listeners;
use super::metrics::Metrics;
use super::process::Process;
use super::replicate::send_state;
use super::run_dir::RunDir;
use super::saver::Saver;
use super::seat::Seat;
use super::status::{Status, StatusFile};
use crate::files::write_atomically;

/// Where a run starts.
struct StartPoint<S> {
    state: S,
    step: usize,
    saved: Option<usize>,
    warnings: Vec<String>,
}

/// Prepares a new run in `dir`, or the rest of the one there if it is to `resume`.
pub fn prepare_leader<'a, J: Job>(
    process: &Process<J>,
    seat: &'a Seat,
    dir: Arc<RunDir>,
    resume: bool,
    begin: Instant,
) -> Result<Leader<J::Learner<'a>>> {
    let Seat { team, options } = seat;
    let job = &process.job;
    let resolved = job.resolved();
    print_plan(resolved, &process.devices, &dir);
    if !resume {
        println!("\n{}", resolved.settings);
        // From here on the folder holds a run that `--resume` continues.
        write_atomically(&dir.config(), commented(resolved).as_bytes())?;
    }

    let start = start(job, &options.device, &dir, resume)?;
    let step = start.step;

    let run = &resolved.plan;
    let metrics = Metrics::open(&dir, step)?;
    let status = Status {
        total: run.total_steps,
        skipped_steps: metrics.skipped(),
        ..Status::default()
    };
    let summary = J::Learner::summary;
    let mut listeners = Listeners {
        display: Display::new(run.total_steps, step, run.batch_size, summary),
        status: StatusFile::new(&dir, status, run.batch_size),
        metrics,
    };
    for warning in &start.warnings {
        listeners.warn(warning);
    }

    // Workers with other settings or images would go apart without a word.
    team.check_same(resolved.fingerprint)?;
    let state = start.state;
    send_state(team, run, step, || job.snapshot(&state))?;

    let learner = job.learner(seat, state, step, &process.interrupted)?;
    let saver = Saver {
        dir,
        plan: run.clone(),
        clock: Clock::new(begin, &run.settings),
        interrupted: process.interrupted.clone(),
        saved: start.saved,
    };
    let evaluator = Evaluator {
        data: resolved.data.clone(),
        device: options.device.clone(),
        threads: options.loader_threads,
    };
    Ok(Leader::new(learner, step, listeners, saver, evaluator))
}

fn print_plan(resolved: &ResolvedRun, devices: &RunDevices, dir: &RunDir) {
    let RunData { train, val } = &resolved.data;
    println!("data    {}", train.description());
    if let Some(val) = val {
        println!("val     {}", val.description());
    }
    println!("device  {}", devices.device_names());
    println!("out     {}", dir.path().display());
    for note in &resolved.notes {
        println!("        {note}");
    }
    for warning in &resolved.warnings {
        println!("warning {warning}");
    }
}

/// The settings as TOML, headed by the notes as comments.
fn commented(resolved: &ResolvedRun) -> String {
    let mut text = String::new();
    for line in resolved.notes.iter().chain(&resolved.warnings) {
        text += &format!("# {line}\n");
    }
    text + "\n" + &resolved.settings
}

/// The state of the run in `dir`, or that of a new run if nothing is resumed or was saved.
fn start<J: Job>(
    job: &J,
    device: &Device,
    dir: &RunDir,
    resume: bool,
) -> Result<StartPoint<J::State>> {
    let saved = if resume {
        load(dir, job.resolved().plan.identity)?
    } else {
        None
    };
    let state = job.first_state(device)?;

    let Some(saved) = saved else {
        let state = job.initialised(state, device)?;
        if resume {
            println!("nothing was saved yet: the run starts from its beginning");
        }
        return Ok(StartPoint {
            state,
            step: 0,
            saved: None,
            warnings: Vec::new(),
        });
    };

    let state = job
        .restored(state, saved.state)
        .with_context(|| format!("checkpoint {}", saved.path.display()))?;
    println!("resumed after step {}", saved.step);
    Ok(StartPoint {
        state,
        step: saved.step,
        saved: Some(saved.step),
        warnings: saved.warnings,
    })
}
