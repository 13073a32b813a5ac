//! The leader's part of a run of pre-training, up to its first step.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::pretrain::TrainState;

use super::learner::Pretrainer;
use super::plan::Plan;
use super::task::{ProcessTask, Seat};
use crate::files::write_atomically;
use crate::model::read_checkpoint;
use crate::run::checkpoint::load;
use crate::run::clock::Clock;
use crate::run::display::Display;
use crate::run::evaluator::Evaluator;
use crate::run::leader::Leader;
use crate::run::learner::Learner as _;
use crate::run::listeners::Listeners;
use crate::run::metrics::Metrics;
use crate::run::replicate::send_state;
use crate::run::run_dir::RunDir;
use crate::run::saver::Saver;
use crate::run::status::{Status, StatusFile};

/// Where a run starts.
struct StartPoint {
    state: TrainState,
    step: usize,
    saved: Option<usize>,
    warnings: Vec<String>,
}

/// Prepares a new run in `dir`, or the rest of the one there if it is to `resume`.
pub fn prepare_leader<'a>(
    task: &ProcessTask,
    seat: &'a Seat,
    dir: Arc<RunDir>,
    resume: bool,
    begin: Instant,
) -> Result<Leader<Pretrainer<'a>>> {
    let Seat { team, options } = seat;
    print_plan(task, &dir);
    if !resume {
        println!("\n{}", task.plan.settings.to_toml());
        // From here on the folder holds a run that `--resume` continues.
        write_atomically(&dir.config(), task.plan.to_toml().as_bytes())?;
    }

    let start = start(task, &options.device, &dir, resume)?;
    let step = start.step;

    let run = &task.run;
    let metrics = Metrics::open(&dir, step)?;
    let status = Status {
        total: run.total_steps,
        skipped_steps: metrics.skipped(),
        ..Status::default()
    };
    let mut listeners = Listeners {
        display: Display::new(run.total_steps, step, run.batch_size, Pretrainer::summary),
        status: StatusFile::new(&dir, status, run.batch_size),
        metrics,
    };
    for warning in &start.warnings {
        listeners.warn(warning);
    }

    // Workers with other settings or images would go apart without a word.
    team.check_same(task.plan.fingerprint(task.data.len()))?;
    let state = start.state;
    send_state(team, run, step, || Ok(block_on(state.snapshot())?))?;

    let learner = task.learner(team, options, state, step)?;
    let saver = Saver {
        dir,
        plan: run.clone(),
        clock: Clock::new(begin, &run.settings),
        interrupted: task.interrupted.clone(),
        saved: start.saved,
    };
    let evaluator = Evaluator {
        data: task.data.clone(),
        device: options.device.clone(),
        threads: options.loader_threads,
    };
    Ok(Leader::new(learner, step, listeners, saver, evaluator))
}

fn print_plan(task: &ProcessTask, dir: &RunDir) {
    println!("data    {}", task.data.description());
    println!("device  {}", task.device_names());
    println!("out     {}", dir.path().display());
    for note in &task.plan.notes {
        println!("        {note}");
    }
    for warning in &task.plan.warnings {
        println!("warning {warning}");
    }
}

/// The state of the run in `dir`, or that of a new run if nothing is resumed or was saved.
fn start(task: &ProcessTask, device: &Device, dir: &RunDir, resume: bool) -> Result<StartPoint> {
    let saved = if resume {
        load(dir, task.run.identity)?
    } else {
        None
    };
    let state = task.first_state(device);

    let Some(saved) = saved else {
        let state = initialised(state, &task.plan, device)?;
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

    let state = state
        .restore(saved.state)
        .with_context(|| format!("checkpoint {}", saved.path.display()))?;
    println!("resumed after step {}", saved.step);
    Ok(StartPoint {
        state,
        step: saved.step,
        saved: Some(saved.step),
        warnings: saved.warnings,
    })
}

/// The state of a new run: as it is, or with the weights that the settings name.
fn initialised(state: TrainState, plan: &Plan, device: &Device) -> Result<TrainState> {
    let Some(file) = &plan.settings.run.init else {
        return Ok(state);
    };
    let checkpoint = read_checkpoint(file.as_ref(), None)?;
    let started = checkpoint.start(state.student, &plan.settings.config.backbone());
    let (student, report) = started.with_context(|| format!("cannot start from {file}"))?;
    println!("init    {file}: {report}");
    // Made anew, as the teacher starts as a copy of the student.
    Ok(TrainState::new(
        student,
        plan.settings.config.head.shared_head,
        device,
    ))
}
