//! The sums of a step of pre-training over all workers.

use anyhow::Context as _;
use burn::module::Module;
use burn::tensor::Tensor;
use futures_lite::future::block_on;
use ibot_core::pretrain::{Engine, Lane, Pass};

use super::wire;
use crate::run::worker_engine::{NoStep, WorkerEngine};

impl Engine for WorkerEngine<'_> {
    type Error = NoStep;

    fn map_reduce<M: Module, B: Send, T: Send>(
        &self,
        network: &M,
        batch: Vec<B>,
        work: impl Fn(&M, &B, &mut Lane) -> T + Sync,
        join: impl Fn(Vec<T>) -> T + Sync,
    ) -> T {
        self.spread(network, batch, work, join)
    }

    fn sum(&self, values: Tensor<2>) -> Result<Tensor<2>, NoStep> {
        self.add_up(values)
    }

    fn all_reduce<M: Module>(&self, mut pass: Pass, network: &M) -> Result<Pass, NoStep> {
        self.await_all()?;
        if self.team.size() == 1 {
            return Ok(pass);
        }

        let share = pass.share(self.batch_size);
        let first = self.team.share().start;
        let means =
            block_on(wire::pack(&pass, first, self.batch_size)).context("losses on the device")?;
        // All workers must send the same names, whatever their images reach.
        let gradients = std::mem::take(&mut pass.gradients).complete(network);

        let means = self.team.all_reduce(means)?;
        let gradients = self.team.all_reduce_gradients(gradients, share)?;
        Ok(wire::unpack(pass, gradients, means, self.batch_size))
    }
}
