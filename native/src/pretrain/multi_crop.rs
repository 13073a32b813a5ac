//! Samples of pre-training: the crops of an image, and a mask for each of its global crops.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use ibot_core::image::RgbImage;
use ibot_core::image::augment::{Crops, multi_crop};
use ibot_core::model::Mask;
use ibot_core::pretrain::HostBatch;
use ibot_core::pretrain::config::{BatchPlace, Config};
use ibot_core::rng::{Purpose, crop_stream};

use crate::data::Dataset;
use crate::data::loader::{Collate, Loader, LoaderOptions, SampleId};
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

    pub fn crops(&self, image: &RgbImage, id: SampleId) -> Crops {
        multi_crop(image, &self.config.crops, &self.config.augment, |crop| {
            crop_stream(self.seed, Purpose::Augment, id.epoch, id.image, crop)
        })
    }

    pub fn masks(&self, id: SampleId) -> Vec<Mask> {
        let place = BatchPlace {
            step: id.step,
            place: id.place,
        };
        self.config.masks_at(self.seed, id.epoch, id.image, place)
    }
}

impl Collate for MultiCrop {
    type Batch = HostBatch;

    fn empty(&self, images: usize) -> HostBatch {
        HostBatch::zeros(&self.config.crops, images)
    }

    fn write(&self, batch: &mut HostBatch, position: usize, image: &RgbImage, id: SampleId) {
        let crops = self.crops(image, id);
        batch.set(position, &crops, self.masks(id));
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
    let config = &settings.config;
    let run = &settings.run;

    let options = LoaderOptions {
        threads,
        seed: run.seed,
        batch_size: config.optim.batch_size,
        repeats: 1,
        micro_batches: run.micro_batches(share.len()),
        share,
        first_step,
        max_unreadable: run.max_unreadable,
    };
    Loader::new(data, MultiCrop::new(config, run.seed), options)
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
            // Ratios that the whole batch decides.
            "mask.stratified=true".into(),
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
