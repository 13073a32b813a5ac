//! Where the time of a step goes.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use burn::tensor::Device;
use ibot_core::model::Network;
use ibot_core::pretrain::{Batch, Engine, Lane, Pass, Phase};
use serde::Serialize;

use crate::pretrain::engine::{NoStep, WorkerEngine};

/// Seconds of each phase of a step. Phases that all threads go through at the same time are means
/// over threads.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Phases {
    /// Crops and masks to the device.
    pub data: f64,
    /// The teacher's forward pass and its targets.
    teacher: f64,
    /// The student's forward pass.
    student: f64,
    /// Both losses.
    loss: f64,
    backward: f64,
    /// Passes over all micro-batches joined, their norms and losses read by the host.
    join: f64,
    optimizer: f64,
    /// Teacher and centers.
    ema: f64,
}

impl Phases {
    /// Adds the time that a phase took.
    fn add(&mut self, phase: Phase, seconds: f64) {
        let sum = match phase {
            Phase::Teacher => &mut self.teacher,
            Phase::Student => &mut self.student,
            Phase::Losses => &mut self.loss,
            Phase::Backward => &mut self.backward,
            Phase::Sum => &mut self.join,
            Phase::Optimizer => &mut self.optimizer,
            Phase::Ema => &mut self.ema,
        };
        *sum += seconds;
    }

    /// The mean over `steps` steps.
    pub fn per_step(self, steps: u32) -> Self {
        let steps = f64::from(steps);
        Self {
            data: self.data / steps,
            teacher: self.teacher / steps,
            student: self.student / steps,
            loss: self.loss / steps,
            backward: self.backward / steps,
            join: self.join / steps,
            optimizer: self.optimizer / steps,
            ema: self.ema / steps,
        }
    }

    fn named(&self) -> [(&'static str, f64); 8] {
        [
            ("data to device", self.data),
            ("teacher", self.teacher),
            ("student", self.student),
            ("losses", self.loss),
            ("backward", self.backward),
            ("join and read", self.join),
            ("optimiser", self.optimizer),
            ("EMA", self.ema),
        ]
    }
}

/// Times what happens between its laps, waiting for the device at each.
pub struct Stopwatch {
    device: Device,
    start: Instant,
}

impl Stopwatch {
    /// Starts.
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

    fn map_reduce<T: Send>(
        &self,
        student: &Network,
        batch: Vec<Batch>,
        work: impl Fn(&Network, &Batch, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let phases = &self.phases;
        let device = self.device;
        let threads = self.engine.threads.busy(batch.len()) as f64;
        let caller = thread::current().id();

        let timed_work = |student: &Network, batch: &Batch, lane: &mut Lane| {
            let mut stopwatch = Stopwatch::start(device);
            let phases = phases.clone();
            lane.timer = Some(Box::new(move |phase| {
                add(&phases, phase, stopwatch.lap() / threads);
            }));
            work(student, batch, lane)
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
        let joined = self
            .engine
            .map_reduce(student, batch, timed_work, timed_join);

        self.stopwatch.borrow_mut().lap();
        joined
    }

    fn all_reduce(&self, pass: Pass, student: &Network) -> Result<Pass, NoStep> {
        self.engine.all_reduce(pass, student)
    }

    fn lap(&self, phase: Phase) {
        add(&self.phases, phase, self.stopwatch.borrow_mut().lap());
    }
}

fn add(phases: &Mutex<Phases>, phase: Phase, seconds: f64) {
    let mut phases = phases.lock().unwrap_or_else(PoisonError::into_inner);
    phases.add(phase, seconds);
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: f64 = self.named().iter().map(|(_, time)| time).sum();
        write!(f, "phases  {total:.4} s in steps that wait after each")?;
        for (name, time) in self.named() {
            write!(
                f,
                "\n        {name:<15} {time:.4} s  {:4.1} %",
                100.0 * time / total
            )?;
        }
        Ok(())
    }
}
