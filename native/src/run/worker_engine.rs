//! How a worker of a run carries out a step: its micro-batches on its threads, its sums with the
//! other workers.

use anyhow::Context as _;
use burn::module::Module;
use burn::tensor::{ExecutionError, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::pretrain::{Activations, Lane};
use ibot_core::rng::{Purpose, stream};

use super::threads::Threads;
use crate::exchange::{ExchangeError, Stop, Team};

/// The engine of one step of one worker.
pub struct WorkerEngine<'a> {
    pub team: &'a Team,
    pub threads: &'a Threads,
    /// What the forward passes of the network that learns keep for the backward passes.
    pub activations: Activations,
    pub seed: u64,
    pub step: usize,
    /// Images of the batch, those of other workers included.
    pub batch_size: usize,
}

/// Why a worker took no step.
#[derive(Debug, thiserror::Error)]
pub enum NoStep {
    /// The workers agreed to stop before it.
    #[error("the run stopped before the step")]
    Stopped(Stop),
    /// Something failed, here or on another worker.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<ExecutionError> for NoStep {
    fn from(error: ExecutionError) -> Self {
        Self::Failed(anyhow::Error::new(error).context("a step on the device"))
    }
}

impl From<ExchangeError> for NoStep {
    fn from(error: ExchangeError) -> Self {
        Self::Failed(error.into())
    }
}

impl WorkerEngine<'_> {
    /// [`Engine::map_reduce`](ibot_core::pretrain::Engine::map_reduce) on the worker's threads.
    pub fn spread<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let lane = |thread| self.lane(thread);
        self.threads.map_reduce(network, batch, lane, work, join)
    }

    /// [`Engine::sum`](ibot_core::pretrain::Engine::sum) of all workers.
    pub fn add_up(&self, values: Tensor<2>) -> Result<Tensor<2>, NoStep> {
        self.await_all()?;
        if self.team.size() == 1 {
            return Ok(values);
        }

        let (shape, device) = (values.dims(), values.device());
        let own = block_on(values.into_data_async()).context("sums on the device")?;
        let sum = self.team.all_reduce(own.iter::<f32>().collect())?;
        Ok(Tensor::from_data(TensorData::new(sum, shape), &device))
    }

    /// Waits for all workers.
    pub fn await_all(&self) -> Result<(), NoStep> {
        match self.team.vote(None)? {
            Some(stop) => Err(NoStep::Stopped(stop)),
            None => Ok(()),
        }
    }

    fn lane(&self, thread: usize) -> Lane {
        // Numbered through all workers, so that no two lanes draw the same noise.
        let number = self.team.rank() * self.threads.count() + thread;
        let noise = stream(
            self.seed,
            Purpose::DropPath,
            self.step as u64,
            number as u64,
        );
        Lane::new(self.activations, Some(noise))
    }
}
