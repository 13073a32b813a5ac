//! How long workers take to add up the gradients of a network.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use burn::tensor::Device;
use ibot_core::optim::NamedGradients;
use ibot_core::pretrain::TrainState;
use serde::Serialize;

use crate::exchange::launcher::Launch;
use crate::exchange::{Team, connect};
use crate::settings::Settings;

#[derive(Debug, Serialize)]
pub struct ExchangeFigures {
    workers: usize,
    /// `threads` or `MPI`.
    between: &'static str,
    /// Bits of a value on its way.
    bits: u64,
    parameters: usize,
    /// What each of k workers must send and receive at least, if all send equally much:
    /// 2 (k - 1) / k of the gradients.
    bytes_per_worker: u64,
    /// The shortest sum, from the device and back to it.
    seconds: f64,
    mean_seconds: f64,
    /// At the shortest sum.
    bytes_per_second: f64,
}

/// Adds up the gradients of the network of `settings` `times` times, between `threads` threads or
/// all processes of a launcher, and gives figures to the leader's process.
pub fn measure(
    settings: &Settings,
    threads: usize,
    device: &Device,
    times: u32,
) -> Result<Option<ExchangeFigures>> {
    let launch = Launch::from_environment();
    let batch = settings.config.optim.batch_size;
    let teams = connect(launch, threads, &settings.run, batch, &Default::default())?;
    let sums = thread::scope(|scope| {
        let mut running = Vec::new();
        for team in teams {
            running.push(scope.spawn(move || measure_sums(team, settings, device, times)));
        }

        // A process of a launcher has one worker, whose figures are its own.
        let mut sums = Vec::new();
        for worker in running {
            sums.push(worker.join().unwrap_or_else(|_| Err(anyhow!("panicked")))?);
        }
        anyhow::Ok(sums)
    })?;
    let Sums {
        parameters,
        durations,
    } = sums.into_iter().next().context("no worker")?;
    if launch.is_some_and(|launch| launch.rank > 0) {
        return Ok(None);
    }

    let workers = launch.map_or(threads, |launch| launch.size);
    let bits = if settings.run.exchange_f16 { 16 } else { 32 };
    let bytes_per_worker = 2 * (workers as u64 - 1) * parameters as u64 * bits / 8 / workers as u64;
    let seconds = durations.iter().min().map_or(0.0, Duration::as_secs_f64);
    Ok(Some(ExchangeFigures {
        workers,
        between: if launch.is_some() { "MPI" } else { "threads" },
        bits,
        parameters,
        bytes_per_worker,
        seconds,
        mean_seconds: durations.iter().sum::<Duration>().as_secs_f64() / f64::from(times),
        bytes_per_second: bytes_per_worker as f64 / seconds,
    }))
}

struct Sums {
    /// Values that are summed.
    parameters: usize,
    durations: Vec<Duration>,
}

fn measure_sums(team: Team, settings: &Settings, device: &Device, times: u32) -> Result<Sums> {
    let sums = add_up(&team, settings, device, times);
    team.end(&sums);
    sums
}

fn add_up(team: &Team, settings: &Settings, device: &Device, times: u32) -> Result<Sums> {
    let student = TrainState::fresh(&settings.config, settings.run.seed, device).student;
    // Zeros take as long as other values, and stay finite however often they are added up.
    let mut gradients = NamedGradients::default().complete(&student);
    drop(student);
    let sizes = gradients.0.values().map(|gradient| gradient.dims()[0]);
    let parameters = sizes.sum();

    let mut durations = Vec::new();
    for _ in 0..=times {
        let begin = Instant::now();
        gradients = team.all_reduce_gradients(gradients, 1.0)?;
        device.sync().context("the device failed")?;
        durations.push(begin.elapsed());
    }
    Ok(Sums {
        parameters,
        // The first one waits for the slowest worker to be ready.
        durations: durations.split_off(1),
    })
}

impl fmt::Display for ExchangeFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} workers ({}), {:.1} M parameters in {} bits: {:.1} MB to and from each, {:.4} s (mean {:.4} s), {:.2} GB/s",
            self.workers,
            self.between,
            self.parameters as f64 / 1e6,
            self.bits,
            self.bytes_per_worker as f64 / 1e6,
            self.seconds,
            self.mean_seconds,
            self.bytes_per_second / 1e9
        )
    }
}
