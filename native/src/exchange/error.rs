//! Why workers cannot go on together.

use std::time::Duration;

#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExchangeError {
    /// A worker sent the others the reason why it cannot go on.
    #[error("worker {worker} failed: {message}")]
    Failed {
        /// The lowest rank of those that failed.
        worker: usize,
        message: String,
    },
    /// A worker ended without a message.
    #[error("worker {0} is gone; lines above may say why")]
    Gone(usize),
    #[error(
        "{who} did not answer for {} s (run.exchange_timeout): a worker hangs, or a k-NN evaluation or a write takes longer than that",
        .timeout.as_secs_f64()
    )]
    Timeout {
        /// The workers that are late, as far as known.
        who: String,
        timeout: Duration,
    },
    /// The process was told to end while it waited.
    #[error("interrupted, and the other workers did not answer for {} s more: one may be gone", .0.as_secs())]
    Interrupted(Duration),
    #[error(
        "a launcher started {0} of these processes, and this build has no MPI: rebuild with --features mpi, or start one process with --devices"
    )]
    NoMpi(usize),
    #[error(
        "run.exchange_nccl = true needs two or more CUDA devices in one process (--devices cuda:0,cuda:1, in a build with --features cuda); here is {0}. Leave it out to add up through the host"
    )]
    NoNccl(String),
    /// burn's log is the only place where NCCL's reason is found.
    #[error(
        "NCCL did not add up the gradients of {0} GPUs; lines above may say why. Without run.exchange_nccl the host does"
    )]
    NcclFailed(usize),
    #[error("the workers cannot be connected: {0}")]
    NotConnected(String),
}
