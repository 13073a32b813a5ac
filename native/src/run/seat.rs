//! A worker's place in a run: its device and its connection to the others.

use std::num::NonZeroUsize;

use burn::tensor::Device;

use crate::exchange::Team;

/// Where a worker computes, and with what.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    pub device: Device,
    pub loader_threads: NonZeroUsize,
    /// Whether the process has other workers.
    pub shares_process: bool,
}

/// A worker that is connected to the others.
pub struct Seat {
    pub team: Team,
    pub options: WorkerOptions,
}
