//! A step that times its phases.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ibot_core::pretrain::{Engine, Lane, Pass, Phase};

use super::phases::Phases;
use crate::run::worker_engine::{NoStep, WorkerEngine};

/// Times what happens between its laps, waiting for the device at each.
pub struct Stopwatch {
    device: Device,
    start: Instant,
}

impl Stopwatch {
    pub fn start(device: &Device) -> Self {
        Self {
            device: device.clone(),
            start: Instant::now(),
        }
    }

    /// Seconds since the last lap.
    pub fn lap(&mut self) -> f64 {
        // A device that fails shows it when the step is read.
        let _ = self.device.sync();
        let seconds = self.start.elapsed().as_secs_f64();
        self.start = Instant::now();
        seconds
    }
}

/// A worker's engine that times the phases of its steps.
pub struct TimedEngine<'a> {
    engine: WorkerEngine<'a>,
    device: &'a Device,
    phases: Arc<Mutex<Phases>>,
    /// Of the thread that takes the step.
    stopwatch: RefCell<Stopwatch>,
}

impl<'a> TimedEngine<'a> {
    /// The `engine` of a step, whose times are added to `phases`.
    pub fn new(engine: WorkerEngine<'a>, device: &'a Device, phases: &Arc<Mutex<Phases>>) -> Self {
        Self {
            engine,
            device,
            phases: phases.clone(),
            stopwatch: RefCell::new(Stopwatch::start(device)),
        }
    }
}

impl Engine for TimedEngine<'_> {
    type Error = NoStep;

    fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let phases = &self.phases;
        let device = self.device;
        // They work at the same time: each accounts for its part of the time that passes.
        let threads = self.engine.threads.busy(batch.len()) as f64;
        let caller = thread::current().id();

        let timed_work = |network: &M, batch: &B, lane: &mut Lane| {
            let mut stopwatch = Stopwatch::start(device);
            let phases = phases.clone();
            lane.timer = Some(Box::new(move |phase| {
                add(&phases, phase, stopwatch.lap() / threads);
            }));
            work(network, batch, lane)
        };
        let timed_join = |results: Vec<T>| {
            let mut stopwatch = Stopwatch::start(device);
            let joined = join(results);
            // The threads join their own results at the same time, the caller theirs after that.
            let at_once = if thread::current().id() == caller {
                1.0
            } else {
                threads
            };
            add(phases, Phase::Sum, stopwatch.lap() / at_once);
            joined
        };
        let joined =
            Engine::<Pass>::map_reduce(&self.engine, network, batch, timed_work, timed_join);

        self.stopwatch.borrow_mut().lap();
        joined
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, NoStep> {
        Engine::<Pass>::sum(&self.engine, values)
    }

    fn all_reduce<M: Module>(&self, pass: Pass, network: &M) -> Result<Pass, NoStep> {
        self.engine.all_reduce(pass, network)
    }

    fn lap(&self, phase: Phase) {
        add(&self.phases, phase, self.stopwatch.borrow_mut().lap());
    }
}

fn add(phases: &Mutex<Phases>, phase: Phase, seconds: f64) {
    let mut phases = phases.lock().unwrap_or_else(PoisonError::into_inner);
    phases.add(phase, seconds);
}
