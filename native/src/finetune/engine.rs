//! The sums of a step of fine-tuning over all workers.

use anyhow::{Context as _, anyhow};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use ibot_core::finetune::ClassifierPass;
use ibot_core::pretrain::{Engine, Lane};

use crate::run::worker_engine::{NoStep, WorkerEngine};

impl Engine<ClassifierPass> for WorkerEngine<'_> {
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

    fn all_reduce<M: Module>(
        &self,
        pass: ClassifierPass,
        network: &M,
    ) -> Result<ClassifierPass, NoStep> {
        self.await_all()?;
        if self.team.size() == 1 {
            return Ok(pass);
        }

        let share = pass.share(self.batch_size);
        let ClassifierPass {
            images: _,
            gradients,
            measured,
        } = pass;
        let device = measured.device();
        let own = (measured * share)
            .try_into_vec_as::<f32>()
            .map_err(|error| anyhow!("losses on the device: {error:?}"))?;
        // All workers must send the same names, whatever their images reach.
        let gradients = gradients.complete(network);

        let measured = self.team.all_reduce(own)?;
        let gradients = self
            .team
            .all_reduce_gradients(gradients, share)
            .context("gradients of all workers")?;
        let count = measured.len();
        Ok(ClassifierPass {
            images: self.batch_size,
            gradients,
            measured: Tensor::from_data(TensorData::new(measured, [count]), &device),
        })
    }
}
