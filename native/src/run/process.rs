//! A run as a process sees it: its job and its workers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::{Context as _, Result};

use super::devices::{RunDevices, cores_each};
use super::ending::Ending;
use super::follower::follow;
use super::job::Job;
use super::panics::catch_panic;
use super::replicate::receive_state;
use super::seat::{Seat, WorkerOptions};
use crate::exchange::{ExchangeError, Nccl, connect};

/// What all workers of a process share.
#[derive(Clone)]
pub struct Process<J> {
    pub job: J,
    pub devices: RunDevices,
    pub interrupted: Arc<AtomicBool>,
}

impl<J: Job> Process<J> {
    /// Connects the workers of this process, in the order of their ranks.
    pub fn connect(&self) -> Result<Vec<Seat>> {
        let plan = &self.job.resolved().plan;
        let run = &plan.settings;
        let RunDevices { devices, launch } = &self.devices;
        let nccl = if run.exchange_nccl {
            Some(Nccl::among(devices)?)
        } else {
            None
        };

        let here = devices.len();
        let loader_threads = NonZeroUsize::new(run.loader_threads.div_ceil(here));
        let teams = connect(*launch, here, run, plan.batch_size, &self.interrupted)?;
        let mut seats = Vec::new();
        for (team, device) in teams.into_iter().zip(devices) {
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

    /// Runs a follower of the leader's process on a thread of its own.
    pub fn spawn_follower(&self, seat: Seat) {
        let process = self.clone();
        // Not joined: a device that hangs must not keep the leader from ending the run.
        thread::spawn(move || {
            let rank = seat.team.rank();
            let Err(error) = process.follow(seat) else {
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
    pub fn follow(&self, seat: Seat) -> Result<Ending> {
        let Seat { team, options } = &seat;
        let result = catch_panic(|| {
            team.check_same(self.job.resolved().fingerprint)?;
            let (snapshot, step) = receive_state(team)?;
            let state = self.job.first_state(&options.device)?;
            let state = self.job.restored(state, snapshot);
            let state = state.context("the state of worker 0")?;

            let mut learner = self.job.learner(&seat, state, step, &self.interrupted)?;
            let total = self.job.resolved().plan.total_steps;
            follow(&mut learner, step, total, team.rank(), &self.interrupted)
        });
        seat.team.end(&result);
        result
    }
}
