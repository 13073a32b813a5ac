//! Where the time of a step goes.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::pretrain::{Objective, Pass, TrainState, predict, teach, update_teacher};
use ibot_core::rng::{Purpose, stream};
use serde::Serialize;

use super::Bench;

/// Mean seconds of each phase of a step. Those that all shards go through at the same time are
/// means over shards.
#[derive(Debug, Default, Serialize)]
pub struct Phases {
    /// Crops and masks to the device.
    data: f64,
    /// The teacher's forward.
    teacher: f64,
    /// The student's forward.
    student: f64,
    /// Both losses.
    loss: f64,
    backward: f64,
    /// Gradients of all parts joined, their norms and the losses read by the host.
    join: f64,
    optimizer: f64,
    /// Teacher and centers.
    ema: f64,
}

/// The phases that each shard goes through, summed over its parts.
struct Shard {
    pass: Pass,
    /// Teacher, student, loss, backward, join.
    times: [Duration; 5],
}

/// Times what happens between its laps, waiting for the device at each.
struct Watch<'a> {
    device: &'a Device,
    start: Instant,
}

impl<'a> Watch<'a> {
    fn new(device: &'a Device) -> Self {
        Self {
            device,
            start: Instant::now(),
        }
    }

    fn lap(&mut self) -> Duration {
        // A device that fails shows it when the step is read.
        let _ = self.device.sync();
        let lap = self.start.elapsed();
        self.start = Instant::now();
        lap
    }
}

impl Bench<'_> {
    /// The phases of `steps` further steps.
    pub fn phases(&mut self, steps: u32) -> Result<Phases> {
        let mut sum = Phases::default();
        for _ in 0..steps {
            self.phased_step(&mut sum)?;
        }
        Ok(sum.map(|time| time / f64::from(steps)))
    }

    /// One step, phase by phase; what [`Shards::pass`](crate::pretrain::shards::Shards::pass) and
    /// `apply` do.
    fn phased_step(&mut self, sum: &mut Phases) -> Result<()> {
        let (config, now, device) = (self.config, &self.now, &self.batches.device);
        let host = self.batches.host(self.step);
        let mut watch = Watch::new(device);
        let batch = self.batches.to_device(host);
        sum.data += watch.lap().as_secs_f64();

        let state = self.state.take().context("the step before failed")?;
        let shards = self.shards.spread(
            self.shards.queues(&state, batch),
            |number, (state, parts)| {
                let mut noise = stream(0, Purpose::DropPath, self.step as u64, number as u64);
                let mut watch = Watch::new(device);
                let shards = parts.into_iter().map(|batch| {
                    let target = teach(&state.teacher, &batch, &state.centers, now);
                    let teacher = watch.lap();
                    let prediction = predict(
                        &state.student,
                        &batch,
                        self.shards.activations,
                        Some(&mut noise),
                    );
                    let student = watch.lap();
                    let objective = Objective::between(target, prediction, &batch, &config.loss)
                        .scaled(state.loss_scale);
                    let loss = watch.lap();
                    let pass = objective.differentiate(&state.student);
                    Shard {
                        pass,
                        times: [teacher, student, loss, watch.lap(), Duration::ZERO],
                    }
                });
                shards.reduce(|sum, shard| {
                    let start = Instant::now();
                    let pass = Pass::join(vec![sum.pass, shard.pass]);
                    let mut times =
                        [0, 1, 2, 3, 4].map(|phase| sum.times[phase] + shard.times[phase]);
                    times[4] += start.elapsed();
                    Shard { pass, times }
                })
            },
        );
        let shards: Vec<Shard> = shards.into_iter().flatten().collect();
        let mean = |phase: usize| {
            shards
                .iter()
                .map(|shard| shard.times[phase].as_secs_f64())
                .sum::<f64>()
                / shards.len() as f64
        };
        sum.teacher += mean(0);
        sum.student += mean(1);
        sum.loss += mean(2);
        sum.backward += mean(3);
        sum.join += mean(4);

        let mut watch = Watch::new(device);
        let pass = Pass::join(shards.into_iter().map(|shard| shard.pass).collect());
        let report = block_on(pass.read()).context("a step on the device")?;
        sum.join += watch.lap().as_secs_f64();
        let TrainState {
            student,
            teacher,
            mut optimizer,
            centers,
            loss_scale,
        } = state;
        let student = optimizer.step(student, pass.gradients, &report.norms, now, &config.optim);
        sum.optimizer += watch.lap().as_secs_f64();
        let teacher = update_teacher(teacher, &student, now.momentum);
        let centers = centers.update(pass.cls_mean, pass.patch_mean, &config.loss);
        sum.ema += watch.lap().as_secs_f64();
        self.state = Some(TrainState {
            student,
            teacher,
            optimizer,
            centers,
            loss_scale,
        });
        self.step += 1;
        Ok(())
    }
}

impl Phases {
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

    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            data: f(self.data),
            teacher: f(self.teacher),
            student: f(self.student),
            loss: f(self.loss),
            backward: f(self.backward),
            join: f(self.join),
            optimizer: f(self.optimizer),
            ema: f(self.ema),
        }
    }
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
