//! How a worker of a run carries out a step: its micro-batches on its threads, its sums with the
//! other workers.

use anyhow::Context as _;
use burn::tensor::{ExecutionError, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::model::Network;
use ibot_core::pretrain::{Activations, Engine, Lane, Pass};
use ibot_core::rng::{Purpose, stream};

use super::threads::Threads;
use super::wire;
use crate::exchange::{ExchangeError, Stop, Team};

/// The engine of one step of one worker.
pub struct WorkerEngine<'a> {
    pub team: &'a Team,
    pub threads: &'a Threads,
    /// What the student's forward passes keep for the backward passes.
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

    /// Waits for the other workers. One that has failed, or has no images, says so here, where the
    /// others wait for it.
    fn go_on(&self) -> Result<(), NoStep> {
        match self.team.vote(None)? {
            Some(stop) => Err(NoStep::Stopped(stop)),
            None => Ok(()),
        }
    }
}

impl Engine for WorkerEngine<'_> {
    type Error = NoStep;

    fn map_reduce<M: Send, T: Send>(
        &self,
        student: &Network,
        batch: Vec<M>,
        work: impl Fn(&Network, &M, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        let lane = |thread| self.lane(thread);
        self.threads.map_reduce(student, batch, lane, work, join)
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, NoStep> {
        self.go_on()?;
        if self.team.size() == 1 {
            return Ok(values);
        }

        let (shape, device) = (values.dims(), values.device());
        let own = block_on(values.to_data_async()).context("sums on the device")?;
        let sum = self.team.all_reduce(own.iter::<f32>().collect())?;
        Ok(Tensor::from_data(TensorData::new(sum, shape), &device))
    }

    fn all_reduce(&self, mut pass: Pass, student: &Network) -> Result<Pass, NoStep> {
        self.go_on()?;
        if self.team.size() == 1 {
            return Ok(pass);
        }

        let share = pass.share(self.batch_size);
        let first = self.team.share().start;
        let means =
            block_on(wire::pack(&pass, first, self.batch_size)).context("losses on the device")?;
        // All workers must send the same names, whatever their images reach.
        let gradients = std::mem::take(&mut pass.gradients).complete(student);

        let means = self.team.all_reduce(means)?;
        let gradients = self.team.all_reduce_gradients(gradients, share)?;
        Ok(wire::unpack(pass, gradients, means, self.batch_size))
    }
}
