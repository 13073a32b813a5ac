//! How workers put together what each computed of a step, so that k of them are as one with the
//! whole batch.
//!
//! A worker is a device with a replica of the training state. It computes its share of a batch's
//! images; the workers add up gradients, both centers' means and the losses, nothing else, and each
//! then makes the same update of its own replica. [`Team`] is what a run sees of this; an
//! [`Exchange`] is one way to add vectors up.

mod buckets;
mod half;
pub mod launcher;
mod link;
mod local;
#[cfg(feature = "mpi")]
mod mpi;
mod nccl;
mod team;

pub use link::Link;
pub use local::Local;
pub use nccl::Nccl;
pub use team::{Brought, Team};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use self::launcher::Launch;
use crate::recipe::Settings;

/// A group of workers that add vectors up. All call the same methods in the same order with vectors
/// of the same length.
pub trait Exchange {
    /// Number of this worker, from 0. Worker 0 leads: it alone writes files.
    fn rank(&self) -> usize;

    /// Number of workers.
    fn size(&self) -> usize;

    /// The sum of all workers' `values`, the same bits on each.
    ///
    /// # Errors
    /// If a worker is gone or does not answer.
    fn sum(&mut self, values: Vec<f32>) -> Result<Vec<f32>, ExchangeError>;

    /// Cuts `values` into as many equal pieces as there are workers and gives each worker its
    /// piece; the pieces received, in the order of the workers.
    ///
    /// # Errors
    /// As [`Self::sum`].
    fn all_to_all(&mut self, values: Vec<u16>) -> Result<Vec<u16>, ExchangeError>;

    /// The `values` of all workers, in their order.
    ///
    /// # Errors
    /// As [`Self::sum`].
    fn all_gather(&mut self, values: Vec<u16>) -> Result<Vec<u16>, ExchangeError>;
}

/// Why workers cannot go on together.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExchangeError {
    /// A worker said why it cannot go on, to all others.
    #[error("worker {worker} failed: {message}")]
    Failed {
        /// The lowest number of those that failed.
        worker: usize,
        /// What it said.
        message: String,
    },
    /// A worker ended without a word.
    #[error("worker {0} is gone; lines above may say why")]
    Gone(usize),
    /// Nothing was heard for too long.
    #[error(
        "{who} did not answer for {} s (run.exchange_timeout): a worker hangs, or a k-NN evaluation or a write takes longer than that",
        .patience.as_secs_f64()
    )]
    Silent {
        /// Those that were waited for, as far as known.
        who: String,
        /// How long.
        patience: Duration,
    },
    /// The process was told to end while it waited.
    #[error("interrupted, and the other workers did not answer for {} s more: one may be gone", .0.as_secs())]
    Interrupted(Duration),
    /// The program cannot reach the processes that were started with it.
    #[error(
        "a launcher started {0} of these processes, and this build has no MPI: rebuild with --features mpi, or start one process with --devices"
    )]
    NoMpi(usize),
    /// The devices cannot add up by themselves.
    #[error(
        "run.exchange_nccl = true needs two or more CUDA devices in one process (--devices cuda:0,cuda:1, in a build with --features cuda); here is {0}. Leave it out to add up through the host"
    )]
    NoNccl(String),
    /// NCCL failed. burn's log says why, nothing else does.
    #[error(
        "NCCL did not add up the gradients of {0} GPUs; lines above may say why. Without run.exchange_nccl the host does"
    )]
    NotSummed(usize),
    /// The workers cannot be connected.
    #[error("the workers cannot be connected: {0}")]
    Unconnected(String),
}

/// Connects the workers of a run: the processes of a `launch`, of which each has one, or `here`
/// threads of this process. The teams of this process's workers, in their order.
///
/// # Errors
/// If they cannot be connected.
pub fn connect(
    launch: Option<Launch>,
    here: usize,
    settings: &Settings,
    interrupted: &Arc<AtomicBool>,
) -> Result<Vec<Team>, ExchangeError> {
    let (run, batch) = (&settings.run, settings.config.optim.batch_size);
    let patience = run.exchange_patience();
    let links = match launch {
        Some(launch) => vec![Some(processes(launch, patience, interrupted)?)],
        None if here == 1 => vec![None],
        None => {
            let group = Local::group(here, patience).into_iter();
            group
                .map(|member| Link::open(|| Ok(member), patience, interrupted).map(Some))
                .collect::<Result<_, _>>()?
        }
    };
    let encoding = if run.exchange_f16 {
        Encoding::Half
    } else {
        Encoding::Exact
    };
    Ok(links
        .into_iter()
        .map(|link| Team::new(link, encoding, batch))
        .collect())
}

#[cfg(feature = "mpi")]
fn processes(
    launch: Launch,
    patience: Duration,
    interrupted: &Arc<AtomicBool>,
) -> Result<Link, ExchangeError> {
    Link::open(move || mpi::Mpi::connect(launch), patience, interrupted)
}

#[cfg(not(feature = "mpi"))]
fn processes(launch: Launch, _: Duration, _: &Arc<AtomicBool>) -> Result<Link, ExchangeError> {
    Err(ExchangeError::NoMpi(launch.size))
}

/// How gradients travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are, in 32 bits.
    Exact,
    /// In 16 bits with a scale a message: half the bytes, a relative error of 2^-11 at each of two
    /// roundings.
    Half,
}
