//! A run of pre-training as a process sees it: its plan, its data and its workers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::Result;
use burn::tensor::Device;
use ibot_core::pretrain::TrainState;

use super::learner::{Pretrainer, WorkerOptions};
use super::plan::Plan;
use super::request::PretrainRequest;
use crate::data::Dataset;
use crate::device::{self, Selected};
use crate::exchange::launcher::Launch;
use crate::exchange::{ExchangeError, Nccl, Team, connect};
use crate::run::ending::Ending;
use crate::run::follower::follow;
use crate::run::panics::catch_panic;
use crate::run::plan::RunPlan;
use crate::run::replicate::receive_state;

/// What all workers of a process share.
#[derive(Clone)]
pub struct ProcessTask {
    pub plan: Arc<Plan>,
    pub run: Arc<RunPlan>,
    pub data: Arc<Dataset>,
    pub interrupted: Arc<AtomicBool>,
    devices: Vec<Selected>,
    launch: Option<Launch>,
}

/// A worker that is connected to the others.
pub struct Seat {
    pub team: Team,
    pub options: WorkerOptions,
}

impl ProcessTask {
    /// Opens the data, finds the devices and computes what the run will do.
    pub fn plan(
        request: &PretrainRequest,
        launch: Option<Launch>,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let mut settings = request.settings.clone();
        let data = Arc::new(Dataset::open(&settings.run.data)?);

        let local_rank = launch.map(|launch| launch.local_rank);
        let devices = device::select_each(&request.devices, local_rank)?;
        for device in &devices {
            device.check(settings.config.optim.precision)?;
        }

        let is_cpu = devices.iter().any(|device| device.is_cpu);
        let cores = cores_each(devices.len());
        settings.run.resolve(&settings.config, is_cpu, cores.get());
        let workers = launch.map_or(devices.len(), |launch| launch.size);
        let plan = Plan::new(settings, data.len(), workers)?;

        Ok(Self {
            run: Arc::new(plan.run_plan(data.len())),
            plan: Arc::new(plan),
            data,
            interrupted: interrupted.clone(),
            devices,
            launch,
        })
    }

    /// Connects the workers of this process, in the order of their ranks.
    pub fn connect(&self) -> Result<Vec<Seat>> {
        let run = &self.plan.settings.run;
        let nccl = if run.exchange_nccl {
            Some(Nccl::among(&self.devices)?)
        } else {
            None
        };

        let here = self.devices.len();
        let loader_threads = NonZeroUsize::new(run.loader_threads.div_ceil(here));
        let teams = connect(self.launch, here, &self.plan.settings, &self.interrupted)?;
        let mut seats = Vec::new();
        for (team, device) in teams.into_iter().zip(&self.devices) {
            seats.push(Seat {
                team: team.with_nccl(nccl.clone()),
                options: WorkerOptions {
                    device: device.device.clone(),
                    loader_threads: loader_threads.unwrap_or(cores_each(here)),
                    shares_process: here > 1,
                },
            });
        }
        Ok(seats)
    }

    pub fn device_names(&self) -> String {
        let names: Vec<&str> = self
            .devices
            .iter()
            .map(|device| device.description.as_str())
            .collect();
        names.join(" + ")
    }

    /// The state of a new run, before any weights are loaded.
    pub fn first_state(&self, device: &Device) -> TrainState {
        let settings = &self.plan.settings;
        TrainState::fresh(&settings.config, settings.run.seed, device)
    }

    /// Runs a follower of the leader's process on a thread of its own.
    pub fn spawn_follower(&self, seat: Seat) {
        let task = self.clone();
        // Not joined: a device that hangs must not keep the leader from ending the run.
        thread::spawn(move || {
            let rank = seat.team.rank();
            let Err(error) = task.follow(seat) else {
                return;
            };
            // Where the workers can still reach each other, the leader reports what happened.
            match error.downcast_ref() {
                None | Some(ExchangeError::Failed { .. }) => {}
                Some(problem) => eprintln!("worker {rank}: {problem}"),
            }
        });
    }

    /// Runs a follower: it computes its share of every step and writes nothing.
    ///
    /// # Errors
    /// If anything fails, here or on another worker. The leader saves what it can.
    pub fn follow(&self, seat: Seat) -> Result<Ending> {
        let Seat { team, options } = seat;
        let result = catch_panic(|| {
            team.check_same(self.plan.fingerprint(self.data.len()))?;
            let (snapshot, step) = receive_state(&team)?;
            let state = self.first_state(&options.device).restore(snapshot)?;

            let mut learner = self.learner(&team, &options, state, step)?;
            let total = self.run.total_steps;
            follow(&mut learner, step, total, team.rank(), &self.interrupted)
        });
        team.end(&result);
        result
    }

    /// A worker of the run whose `state` is that after `step` steps.
    pub fn learner<'a>(
        &self,
        team: &'a Team,
        options: &WorkerOptions,
        state: TrainState,
        step: usize,
    ) -> Result<Pretrainer<'a>> {
        Pretrainer::new(
            team,
            options,
            self.data.clone(),
            self.plan.clone(),
            (state, step),
            self.interrupted.clone(),
        )
    }
}

/// Processor cores for each of so many workers.
fn cores_each(workers: usize) -> NonZeroUsize {
    let cores = device::cores().get() / workers.max(1);
    NonZeroUsize::new(cores).unwrap_or(NonZeroUsize::MIN)
}
