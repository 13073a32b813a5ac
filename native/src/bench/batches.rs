//! Random batches of the shape that training would load.

use burn::tensor::Device;
use ibot_core::model::Mask;
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::flops::step_macs;
use ibot_core::pretrain::{Batch, HostBatch};
use ibot_core::rng::{Purpose, stream};
use rand::RngExt as _;

/// Steps whose masks are drawn to know the mean number of masked patches.
const MASK_STEPS: usize = 64;

/// Batches of noise with masks as training draws them.
pub struct Batches<'a> {
    config: &'a Config,
    pub device: Device,
    /// The micro-batches of a batch, without masks.
    noise: Vec<HostBatch>,
}

impl<'a> Batches<'a> {
    pub fn new(config: &'a Config, count: usize, device: &Device) -> Self {
        let size = config.optim.batch_size;
        let mut rng = stream(0, Purpose::Augment, 0, 0);
        let mut noise = Vec::new();
        for number in 0..count {
            let images = (number + 1) * size / count - number * size / count;
            let mut batch = HostBatch::zeros(&config.crops, images);
            for value in batch.globals.iter_mut().chain(&mut batch.locals) {
                // Normalised pixels are about as large.
                *value = 4.0 * rng.random::<f32>() - 2.0;
            }
            noise.push(batch);
        }
        Self {
            config,
            device: device.clone(),
            noise,
        }
    }

    /// The batch of a step: always the same noise, and masks of its own.
    pub fn host(&self, step: usize) -> Vec<HostBatch> {
        let mut batch = self.noise.clone();
        for (number, micro_batch) in batch.iter_mut().enumerate() {
            for (crop, mask) in micro_batch.masks.iter_mut().enumerate() {
                *mask = self.mask(step, number, crop);
            }
        }
        batch
    }

    fn mask(&self, step: usize, micro_batch: usize, crop: usize) -> Mask {
        let grid = self.config.global_grid();
        let masks = &self.config.mask;
        // Every crop counts as the first of an image of its own.
        let image = (micro_batch << 8) + crop;
        masks.mask(grid, step as u64, masks.pred_start_epoch, image, 0)
    }

    pub fn to_device(&self, batch: Vec<HostBatch>) -> Vec<Batch> {
        let mut moved = Vec::new();
        for micro_batch in batch {
            moved.push(micro_batch.into_batch(&self.device));
        }
        moved
    }

    /// Floating-point operations of the matrix products of a step, with the masks' mean.
    pub fn flop_per_step(&self) -> f64 {
        let crops = MASK_STEPS * self.config.crops.global_crops_number;
        let masked: usize = (0..crops).map(|crop| self.mask(0, 1, crop).count()).sum();

        2.0 * step_macs(self.config, masked as f64 / MASK_STEPS as f64)
            * self.config.optim.batch_size as f64
    }
}
