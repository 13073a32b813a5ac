//! The pass of a worker as one vector of numbers, gradients aside: its means, weighted by its share
//! of the images.

use burn::tensor::{ExecutionError, Tensor, TensorData};
use futures_lite::future::block_on;
use ibot_core::finetune::ClassifierPass;
use ibot_core::optim::NamedGradients;

use crate::run::worker_engine::SharedPass;

impl SharedPass for ClassifierPass {
    fn share(&self, batch: usize) -> f64 {
        ClassifierPass::share(self, batch)
    }

    fn gradients(&mut self) -> &mut NamedGradients {
        &mut self.gradients
    }

    fn pack(&self, _first: usize, batch: usize) -> Result<Vec<f32>, ExecutionError> {
        let weighted = self.measured.clone() * self.share(batch);
        let data = block_on(weighted.into_data_async())?;
        Ok(data.iter::<f32>().collect())
    }

    fn unpack(self, gradients: NamedGradients, sum: Vec<f32>, batch: usize) -> Self {
        let count = sum.len();
        Self {
            images: batch,
            gradients,
            measured: Tensor::from_data(TensorData::new(sum, [count]), &self.measured.device()),
        }
    }
}
