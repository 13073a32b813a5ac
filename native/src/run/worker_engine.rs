//! How a worker of a run carries out a step: its micro-batches on its threads, its sums with the
//! other workers.

use std::mem;

use anyhow::Context as _;
use burn::module::Module;
use burn::tensor::{ExecutionError, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::optim::NamedGradients;
use ibot_core::pretrain::{Activations, Engine, Lane};
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

/// A worker's pass over its share of a batch, as it travels to the other workers.
pub trait SharedPass: Sized {
    /// The part of its images in a batch of `batch` images.
    fn share(&self, batch: usize) -> f64;

    fn gradients(&mut self) -> &mut NamedGradients;

    /// All but the gradients as one vector, such that the sum of all workers' vectors is that of
    /// the whole batch. `first` images of the batch come before those of this pass.
    fn pack(&self, first: usize, batch: usize) -> Result<Vec<f32>, ExecutionError>;

    /// The pass over the whole batch, from the sum of all workers' vectors and their gradients. Its
    /// sizes are those of this pass.
    fn unpack(self, gradients: NamedGradients, sum: Vec<f32>, batch: usize) -> Self;
}

impl<P: SharedPass> Engine<P> for WorkerEngine<'_> {
    type Error = NoStep;

    fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let lane = |thread| self.lane(thread);
        self.threads.map_reduce(network, batch, lane, work, join)
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, NoStep> {
        self.await_all()?;
        if self.team.size() == 1 {
            return Ok(values);
        }

        let (shape, device) = (values.dims(), values.device());
        let own = block_on(values.into_data_async()).context("sums on the device")?;
        let sum = self.team.all_reduce(own.iter::<f32>().collect())?;
        Ok(Tensor::from_data(TensorData::new(sum, shape), &device))
    }

    fn all_reduce<M: Module>(&self, mut pass: P, network: &M) -> Result<P, NoStep> {
        self.await_all()?;
        if self.team.size() == 1 {
            return Ok(pass);
        }

        let batch = self.batch_size;
        let share = pass.share(batch);
        let first = self.team.share().start;
        let means = pass.pack(first, batch).context("losses on the device")?;
        // All workers must send the same names, whatever their images reach.
        let gradients = mem::take(pass.gradients()).complete(network);

        let means = self.team.all_reduce(means)?;
        let gradients = self.team.all_reduce_gradients(gradients, share)?;
        Ok(pass.unpack(gradients, means, batch))
    }
}

impl WorkerEngine<'_> {
    /// Waits for all workers. One that has failed, or has no images, says so here, where the others
    /// wait for it.
    fn await_all(&self) -> Result<(), NoStep> {
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
