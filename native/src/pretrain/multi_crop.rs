//! Samples of pre-training: the crops of an image, and a mask for each of its global crops.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use ibot_core::image::RgbImage;
use ibot_core::image::augment::{Crops, CropsConfig, multi_crop};
use ibot_core::image::normalize::normalize_into;
use ibot_core::pretrain::Batch;
use ibot_core::pretrain::config::Config;
use ibot_core::pretrain::masking::Mask;
use ibot_core::rng::{Purpose, crop_stream};

use crate::data::Dataset;
use crate::data::loader::{Collate, Draw, Loader, LoaderOptions};
use crate::settings::Settings;

/// Makes the crops and masks that the settings of a run ask for.
pub struct MultiCrop {
    config: Config,
    seed: u64,
}

impl MultiCrop {
    pub fn new(config: &Config, seed: u64) -> Self {
        Self {
            config: config.clone(),
            seed,
        }
    }

    /// The crops of an image in an epoch.
    pub fn crops(&self, image: &RgbImage, draw: Draw) -> Crops {
        let Draw {
            epoch,
            image: index,
        } = draw;
        multi_crop(image, &self.config.crops, &self.config.augment, |crop| {
            crop_stream(self.seed, Purpose::Augment, epoch, index, crop)
        })
    }

    /// A mask for each global crop of an image in an epoch.
    pub fn masks(&self, draw: Draw) -> Vec<Mask> {
        let grid = self.config.global_grid();
        let mask = |crop| {
            self.config
                .mask
                .mask(grid, self.seed, draw.epoch, draw.image, crop)
        };
        (0..self.config.crops.global_crops_number)
            .map(mask)
            .collect()
    }
}

impl Collate for MultiCrop {
    type Batch = HostBatch;

    fn empty(&self, images: usize) -> HostBatch {
        HostBatch::zeros(&self.config.crops, images)
    }

    fn write(&self, batch: &mut HostBatch, position: usize, image: &RgbImage, draw: Draw) {
        let crops = self.crops(image, draw);
        batch.set(position, &crops, self.masks(draw));
    }
}

/// The supply of batches of a worker that computes `share` of each, from step `first_step` on.
pub fn batches(
    data: Arc<Dataset>,
    settings: &Settings,
    threads: NonZeroUsize,
    first_step: usize,
    share: Range<usize>,
) -> Loader<HostBatch> {
    let Settings { config, run, .. } = settings;
    let options = LoaderOptions {
        threads,
        seed: run.seed,
        batch_size: config.optim.batch_size,
        micro_batches: run.micro_batches(share.len()),
        share,
        first_step,
        max_unreadable: run.max_unreadable,
    };
    Loader::new(data, MultiCrop::new(config, run.seed), options)
}

/// The crops of B images on the host, on their way to a device.
#[derive(Clone, Debug, PartialEq)]
pub struct HostBatch {
    /// Normalised global crops, `[globals * B, 3, S, S]`, crop by crop.
    pub globals: Vec<f32>,
    /// Normalised local crops, `[locals * B, 3, s, s]`, crop by crop.
    pub locals: Vec<f32>,
    /// One mask for each global crop, in their order.
    pub masks: Vec<Mask>,
    images: usize,
    global_size: usize,
    local_size: usize,
}

impl HostBatch {
    /// A batch of zeros without masks, for the crops of `images` images.
    pub fn zeros(crops: &CropsConfig, images: usize) -> Self {
        let globals = crops.global_crops_number * images;
        let locals = crops.local_crops_number * images;
        Self {
            globals: vec![0.0; globals * values(crops.global_size)],
            locals: vec![0.0; locals * values(crops.local_size)],
            masks: vec![Mask::empty(0, 0); globals],
            images,
            global_size: crops.global_size,
            local_size: crops.local_size,
        }
    }

    /// Normalises the crops of image number `image` of the batch into their places, and puts one
    /// mask beside each of its global crops.
    pub fn set(&mut self, image: usize, crops: &Crops, masks: Vec<Mask>) {
        let global = values(self.global_size);
        for (crop, (view, mask)) in crops.globals.iter().zip(masks).enumerate() {
            let row = crop * self.images + image;
            normalize_into(view, &mut self.globals[row * global..][..global]);
            self.masks[row] = mask;
        }

        let local = values(self.local_size);
        for (crop, view) in crops.locals.iter().enumerate() {
            let row = crop * self.images + image;
            normalize_into(view, &mut self.locals[row * local..][..local]);
        }
    }

    /// The same crops on `device`.
    pub fn into_batch(self, device: &Device) -> Batch {
        let locals = !self.locals.is_empty();
        Batch {
            globals: to_device(self.globals, self.global_size, device),
            locals: locals.then(|| to_device(self.locals, self.local_size, device)),
            masks: self.masks,
            images: self.images,
        }
    }
}

/// Values of a crop of `size` pixels a side.
fn values(size: usize) -> usize {
    3 * size * size
}

/// Crops of `size` pixels a side, `[crops, 3, size, size]`.
fn to_device(crops: Vec<f32>, size: usize, device: &Device) -> Tensor<4> {
    let count = crops.len() / values(size);
    Tensor::from_data(TensorData::new(crops, [count, 3, size, size]), device)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::data::loader::NoBatch;

    fn loader(share: Range<usize>, batch: usize) -> Loader<HostBatch> {
        let set = [
            format!("optim.batch_size={batch}"),
            "run.shards=1".into(),
            "run.micro_batch=4".into(),
        ];
        let settings = Settings::from_recipe("builtin", &set).expect("valid");
        let data = Arc::new(Dataset::open("builtin:val").expect("builtin"));
        batches(data, &settings, NonZeroUsize::MIN, 3, share)
    }

    fn images(loader: &mut Loader<HostBatch>) -> Vec<HostBatch> {
        let delivery = loader
            .next(&AtomicBool::new(false), None)
            .expect("no disk is needed")
            .expect("not stopped");
        delivery.micro_batches.expect("readable")
    }

    #[test]
    fn shares_are_the_batch_cut_into_pieces() {
        let whole = images(&mut loader(0..12, 12));
        let mut pieces = images(&mut loader(0..4, 12));
        pieces.extend(images(&mut loader(4..8, 12)));
        pieces.extend(images(&mut loader(8..12, 12)));
        assert_eq!(whole, pieces, "the same images, crops and masks");
    }

    #[test]
    fn waiting_for_a_batch_has_an_end() {
        // A batch of all images takes longer than a look.
        let late = loader(0..500, 500).next(&AtomicBool::new(false), Some(Duration::ZERO));
        assert!(matches!(late, Err(NoBatch::Late(_))));
    }
}
