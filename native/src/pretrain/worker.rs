//! A worker of a run: a device with a replica of the training state, and the images that it
//! computes.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::pretrain::{self, Batch, HostBatch, StepReport, TrainState};

use super::ending::Ending;
use super::engine::{NoStep, WorkerEngine};
use super::multi_crop::batches;
use super::plan::Plan;
use super::replicate::replicate;
use super::threads::Threads;
use crate::data::Dataset;
use crate::data::loader::Loader;
use crate::exchange::{Stop, Team};

/// What a worker needs beside its state.
pub struct Worker<'a> {
    team: &'a Team,
    device: Device,
    plan: Plan,
    loader: Loader<HostBatch>,
    threads: Threads,
    interrupted: Arc<AtomicBool>,
}

/// Where a worker computes, and with what.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its device.
    pub device: Device,
    /// Threads that load its images.
    pub loaders: NonZeroUsize,
    /// Whether the process has other workers.
    pub crowded: bool,
}

/// What becomes of a step.
pub enum Step {
    /// It is done.
    Done {
        /// What it computed, of all workers together.
        report: StepReport,
        /// How long this worker waited for its images.
        waited: Duration,
    },
    /// The run stops before it.
    Stopped(Stop),
}

impl<'a> Worker<'a> {
    /// A worker that goes on after `step` steps.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(
        team: &'a Team,
        place: Place,
        data: Arc<Dataset>,
        plan: &Plan,
        step: usize,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let Place {
            device,
            loaders,
            crowded,
        } = place;
        Ok(Self {
            loader: batches(data, &plan.settings, loaders, step, team.share()),
            threads: Threads::new(plan.settings.run.shards, crowded)
                .context("cannot start threads")?,
            interrupted: interrupted.clone(),
            plan: plan.clone(),
            team,
            device,
        })
    }

    /// Takes step `step` together with all workers, or stops with them before it. `stop` is this
    /// worker's reason to stop, if it has one.
    ///
    /// # Errors
    /// If the images, the device or another worker fails.
    pub fn step(
        &mut self,
        state: &mut TrainState,
        step: usize,
        stop: Option<Stop>,
        warn: impl FnMut(&str),
    ) -> Result<Step> {
        let begin = Instant::now();
        let batch = match stop {
            Some(stop) => Err(stop),
            None => self.next_batch(warn)?.ok_or(Stop::Interrupted),
        };
        let waited = begin.elapsed();

        let batch = match batch {
            Ok(batch) => batch,
            Err(stop) => return Ok(Step::Stopped(self.team.vote(Some(stop))?.unwrap_or(stop))),
        };
        let run = &self.plan.settings.run;
        let engine = WorkerEngine {
            team: self.team,
            threads: &self.threads,
            activations: run.activations(),
            batch_size: self.plan.settings.config.optim.batch_size,
            seed: run.seed,
            step,
        };
        let now = self.plan.schedules.at(step);
        let taken = pretrain::step(state, batch, &now, &self.plan.settings.config, &engine);
        match block_on(taken) {
            Ok(report) => Ok(Step::Done { report, waited }),
            Err(NoStep::Stopped(stop)) => Ok(Step::Stopped(stop)),
            Err(NoStep::Failed(error)) => Err(error),
        }
    }

    /// This worker's share of the next batch, on its device; `None` if the run is interrupted while
    /// it waits.
    fn next_batch(&mut self, mut warn: impl FnMut(&str)) -> Result<Option<Vec<Batch>>> {
        // A worker that waits for images without end would keep all others waiting.
        let others = self.team.size() > 1;
        let patience = others.then(|| self.plan.settings.run.exchange_patience());
        let Some(delivery) = self.loader.next(&self.interrupted, patience)? else {
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
}

/// The state of a new run, before any weights are loaded.
pub fn first_state(plan: &Plan, device: &Device) -> TrainState {
    TrainState::fresh(&plan.settings.config, plan.settings.run.seed, device)
}

/// The run as a worker lives through it that does not lead: it computes its share of every step,
/// and writes nothing.
///
/// # Errors
/// If anything fails, here or elsewhere. The leader saves what it can.
pub fn follow(
    team: &Team,
    place: Place,
    data: Arc<Dataset>,
    plan: &Plan,
    interrupted: &Arc<AtomicBool>,
) -> Result<Ending> {
    let blank = first_state(plan, &place.device);
    team.check_same(plan.fingerprint(data.len()))?;
    let (mut state, mut step) = replicate(team, blank, 0, plan, plan.identity(data.len()))?;
    let mut worker = Worker::new(team, place, data, plan, step, interrupted)?;
    while step < plan.schedules.total_steps() {
        let warn = |warning: &str| eprintln!("warning: worker {}: {warning}", team.rank());
        let stop = interrupted
            .load(Ordering::Relaxed)
            .then_some(Stop::Interrupted);
        match worker.step(&mut state, step, stop, warn)? {
            Step::Done { .. } => step += 1,
            Step::Stopped(stop) => return Ok(Ending::Stopped(stop)),
        }
    }
    Ok(Ending::Complete)
}

/// What a worker does from beginning to end: the others are told if it fails, and all end together.
///
/// # Errors
/// Those of `work`.
pub fn live(team: Team, work: impl FnOnce(&Team) -> Result<Ending>) -> Result<Ending> {
    let result = guarded(|| work(&team));
    if let Err(error) = &result {
        team.abort(error);
    }
    team.shutdown(&result);
    result
}

/// What `work` gives; a panic, which has said its message, as an error, so that others are told.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            match text {
                Some(text) => Err(anyhow!("panicked: {text}")),
                None => bail!("panicked"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::exchange::{ExchangeError, connect};
    use crate::settings::Settings;

    const WORKERS: usize = 3;

    fn plan(seed: u64) -> Plan {
        let set = [
            "model.dim=16",
            "model.depth=1",
            "model.heads=2",
            "head.out_dim=32",
            "head.hidden_dim=16",
        ];
        let set = set.map(str::to_owned).into_iter().chain([
            format!("run.seed={seed}"),
            "run.exchange_timeout=0.01".into(),
        ]);
        Plan::new(
            Settings::from_recipe("builtin", &set.collect::<Vec<_>>()).expect("valid"),
            1000,
            WORKERS,
        )
        .expect("valid")
    }

    /// What becomes of three workers of one process.
    fn lives(work: impl Fn(&Team) -> Result<Ending> + Sync) -> Vec<Result<Ending>> {
        let here = NonZeroUsize::new(WORKERS).expect("three");
        let teams = connect(None, here.get(), &plan(0).settings, &Arc::default()).expect("threads");
        std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = teams
                .into_iter()
                .map(|team| scope.spawn(move || live(team, work)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("guarded"))
                .collect()
        })
    }

    #[test]
    fn all_workers_start_from_the_leaders_state() {
        let device = Device::flex();
        let states = std::sync::Mutex::new(Vec::new());
        let endings = lives(|team| {
            let plan = plan(team.rank() as u64);
            team.check_same(1_000_000_007)?;
            let blank = first_state(&plan, &device);
            let identity = plan.identity(1000);
            let (state, step) = replicate(team, blank, 7 + team.rank(), &plan, identity)?;
            states
                .lock()
                .expect("no panic")
                .push((team.rank(), step, block_on(state.snapshot())?));
            Ok(Ending::Complete)
        });
        assert!(
            endings
                .iter()
                .all(|ending| matches!(ending, Ok(Ending::Complete))),
            "{endings:?}"
        );
        let leaders = block_on(first_state(&plan(0), &device).snapshot()).expect("the CPU works");
        let states = states.into_inner().expect("no panic");
        assert_eq!(states.len(), WORKERS);
        assert!(
            states
                .iter()
                .all(|(_, step, state)| *step == 7 && *state == leaders)
        );
        let different = lives(|team| {
            team.check_same(team.rank() as u32 / 2)?;
            Ok(Ending::Complete)
        });
        assert!(
            different
                .iter()
                .all(|ending| format!("{ending:?}").contains("other settings")),
            "{different:?}"
        );
    }

    #[test]
    fn a_panic_ends_all_workers_with_its_message() {
        let device = Device::flex();
        let endings = lives(|team| {
            assert!(team.rank() != 1, "the disk is on fire");
            let plan = plan(0);
            let blank = first_state(&plan, &device);
            replicate(team, blank, 0, &plan, plan.identity(1000)).map(|_| Ending::Complete)
        });
        for rank in [0, 2] {
            let error = endings[rank].as_ref().expect_err("worker 1 failed");
            let message = "panicked: the disk is on fire".to_owned();
            assert_eq!(
                error.downcast_ref(),
                Some(&ExchangeError::Failed { worker: 1, message })
            );
        }
        assert!(endings[1].is_err());
    }
}
