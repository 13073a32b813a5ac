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
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::{Pass, StepReport, TrainState, apply};
use ibot_core::rng::{Purpose, stream};

use super::ending::Ending;
use super::multi_crop::{HostBatch, batches};
use super::plan::Plan;
use super::replicate::replicate;
use super::shards::Shards;
use crate::data::Dataset;
use crate::data::loader::Loader;
use crate::exchange::{Stop, Team};

/// The state is gone when the device fails in the middle of its update.
pub const LOST: &str = "the state of the run was lost with the device";

/// What a worker needs beside its state.
pub struct Worker<'a> {
    team: &'a Team,
    device: Device,
    plan: Plan,
    loader: Loader<HostBatch>,
    shards: Shards,
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
            shards: Shards::new(
                plan.settings.run.shards,
                crowded,
                plan.settings.run.activations(),
            )
            .context("cannot start threads")?,
            interrupted: interrupted.clone(),
            plan: plan.clone(),
            team,
            device,
        })
    }

    /// Step `step` of all workers together, as the paper's algorithm: forward and backward on this
    /// worker's share of the batch, the sum over workers, and the update, which is the same on each
    /// of them. `slot` is empty only during the update. `stop` is this worker's reason to stop
    /// before the step, if it has one.
    ///
    /// # Errors
    /// If the images, the device or another worker fails.
    pub fn step(
        &mut self,
        slot: &mut Option<TrainState>,
        step: usize,
        stop: Option<Stop>,
        mut warn: impl FnMut(&str),
    ) -> Result<Step> {
        let begin = Instant::now();
        let now = self.plan.schedules.at(step);
        let state = slot.as_ref().context(LOST)?;
        let Config { loss, optim, .. } = &self.plan.settings.config;
        let run = &self.plan.settings.run;
        // A worker that waits for images without end would keep all others waiting.
        let patience = (self.team.size() > 1).then(|| run.exchange_patience());
        let images = if stop.is_none() {
            self.loader.next(&self.interrupted, patience)?
        } else {
            None
        };
        let mut waited = begin.elapsed();
        let pass = match images {
            Some(delivery) => {
                delivery
                    .skipped
                    .iter()
                    .for_each(|message| warn(&format!("{message} (skipped)")));
                let parts = delivery
                    .micro_batches?
                    .into_iter()
                    .map(|part| part.into_batch(&self.device))
                    .collect();
                waited = begin.elapsed();
                // Shards are numbered through all workers: no two have the same noise.
                let first = self.team.rank() * run.shards;
                let noise = |shard: usize| {
                    stream(
                        run.seed,
                        Purpose::DropPath,
                        step as u64,
                        (first + shard) as u64,
                    )
                };
                Ok(self.shards.pass(state, parts, &now, loss, noise))
            }
            None => Err(stop.unwrap_or(Stop::Interrupted)),
        };
        let voted = self.team.vote(pass.as_ref().err().copied())?;
        let pass = match (pass, voted) {
            (_, Some(stop)) | (Err(stop), None) => return Ok(Step::Stopped(stop)),
            (Ok(pass), None) => self.whole(pass, state)?,
        };
        let state = slot.take().context(LOST)?;
        let (state, report) =
            block_on(apply(state, pass, &now, loss, optim)).context("the update on the device")?;
        *slot = Some(state);
        Ok(Step::Done { report, waited })
    }

    /// The pass over the whole batch, of which every worker has computed its share.
    fn whole(&self, mut pass: Pass, state: &TrainState) -> Result<Pass> {
        if self.team.size() == 1 {
            return Ok(pass);
        }
        let batch = self.plan.settings.config.optim.batch_size;
        let rest = block_on(pass.summand(self.team.share().start, batch))
            .context("losses on the device")?;
        let gradients = std::mem::take(&mut pass.gradients).complete(&state.student);

        let rest = self.team.all_reduce(rest)?;
        let gradients = self
            .team
            .all_reduce_gradients(gradients, pass.share(batch))?;
        Ok(pass.whole(gradients, rest, batch))
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
    let (state, mut step) = replicate(team, blank, 0, plan, plan.identity(data.len()))?;
    let mut slot = Some(state);
    let mut worker = Worker::new(team, place, data, plan, step, interrupted)?;
    while step < plan.schedules.total_steps() {
        let warn = |warning: &str| eprintln!("warning: worker {}: {warning}", team.rank());
        let stop = interrupted
            .load(Ordering::Relaxed)
            .then_some(Stop::Interrupted);
        match worker.step(&mut slot, step, stop, warn)? {
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
