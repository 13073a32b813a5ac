//! Random batches of the shape that training would load.

use burn::tensor::Device;
use ibot_core::pretrain::Batch;
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::flops::step_macs;
use ibot_core::pretrain::masking::Mask;
use ibot_core::rng::{Purpose, stream};
use rand::RngExt as _;

use crate::pretrain::multi_crop::HostBatch;

/// Steps whose masks are drawn to know the mean number of masked patches.
const MASK_STEPS: usize = 64;

/// Batches of noise with masks as training draws them.
pub struct Batches<'a> {
    config: &'a Config,
    pub device: Device,
    /// The parts of a batch, without masks.
    parts: Vec<HostBatch>,
}

impl<'a> Batches<'a> {
    /// Batches cut into `parts`.
    pub fn new(config: &'a Config, parts: usize, device: &Device) -> Self {
        let (crops, size) = (&config.crops, config.optim.batch_size);
        let mut rng = stream(0, Purpose::Augment, 0, 0);
        // Normalised pixels are about as large.
        let mut noise = |count: usize, side: usize| -> Vec<f32> {
            (0..count * 3 * side * side)
                .map(|_| 4.0 * rng.random::<f32>() - 2.0)
                .collect()
        };
        let part = |number: usize| {
            let images = (number + 1) * size / parts - number * size / parts;
            let mut batch = HostBatch::zeros(crops, images);
            batch.globals = noise(crops.global_crops_number * images, crops.global_size);
            batch.locals = noise(crops.local_crops_number * images, crops.local_size);
            batch
        };
        Self {
            config,
            device: device.clone(),
            parts: (0..parts).map(part).collect(),
        }
    }

    /// The batch of a step: always the same noise, and masks of its own.
    pub fn host(&self, step: usize) -> Vec<HostBatch> {
        let mut parts = self.parts.clone();
        for (number, part) in parts.iter_mut().enumerate() {
            let pixels = 3 * self.config.crops.global_size * self.config.crops.global_size;
            let mask = |crop: usize| self.mask(step, number, crop);
            part.masks = (0..part.globals.len() / pixels).map(mask).collect();
        }
        parts
    }

    fn mask(&self, step: usize, part: usize, crop: usize) -> Mask {
        let Config { mask, .. } = self.config;
        let image = (part << 8) + crop;
        mask.mask(
            self.config.global_grid(),
            step as u64,
            mask.pred_start_epoch,
            image,
            0,
        )
    }

    /// A batch on the device.
    pub fn to_device(&self, batch: Vec<HostBatch>) -> Vec<Batch> {
        batch
            .into_iter()
            .map(|part| part.into_batch(&self.device))
            .collect()
    }

    /// Floating-point operations of the matrix products of a step, with the masks' mean.
    pub fn flop_per_step(&self) -> f64 {
        let crops = self.config.crops.global_crops_number;
        let masked: usize = (0..MASK_STEPS * crops)
            .map(|crop| self.mask(0, 1, crop).count())
            .sum();
        2.0 * step_macs(self.config, masked as f64 / MASK_STEPS as f64)
            * self.config.optim.batch_size as f64
    }
}
