//! Samples of fine-tuning: an augmented view of an image, and its label.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use ibot_core::finetune::HostLabelledBatch;
use ibot_core::image::RgbImage;
use ibot_core::image::augment::supervised::{SupervisedConfig, supervised_view};
use ibot_core::rng::{Purpose, crop_stream};

use crate::data::Dataset;
use crate::data::loader::{Collate, Loader, LoaderOptions, SampleId};
use crate::settings::FinetuneSettings;

/// Makes the views that the settings of a run ask for.
pub struct AugmentedViews {
    config: SupervisedConfig,
    size: usize,
    seed: u64,
}

/// Views with the labels of a set.
struct LabelledViews {
    views: AugmentedViews,
    data: Arc<Dataset>,
}

impl AugmentedViews {
    pub fn new(settings: &FinetuneSettings) -> Self {
        let config = &settings.config;
        Self {
            config: config.augment.clone(),
            size: config.model.image_size,
            seed: settings.run.seed,
        }
    }

    /// Writes the view of `image` as three normalised planes.
    pub fn write(&self, image: &RgbImage, id: SampleId, out: &mut [f32]) {
        let rng = &mut crop_stream(self.seed, Purpose::Augment, id.epoch, id.image, id.copy);
        supervised_view(image, self.size, &self.config, rng, out);
    }
}

impl Collate for LabelledViews {
    type Batch = HostLabelledBatch;

    fn empty(&self, images: usize) -> HostLabelledBatch {
        HostLabelledBatch::zeros(images, self.views.size)
    }

    fn write(
        &self,
        batch: &mut HostLabelledBatch,
        position: usize,
        image: &RgbImage,
        id: SampleId,
    ) {
        // A run only starts where every image has a label.
        batch.labels[position] = self.data.label(id.image).unwrap_or_default();
        if let Some(planes) = batch.planes().nth(position) {
            self.views.write(image, id, planes);
        }
    }
}

/// The supply of batches of a worker that computes `share` of each, from step `first_step` on.
pub fn batches(
    data: Arc<Dataset>,
    settings: &FinetuneSettings,
    threads: NonZeroUsize,
    first_step: usize,
    share: Range<usize>,
) -> Loader<HostLabelledBatch> {
    let run = &settings.run;
    let options = LoaderOptions {
        threads,
        seed: run.seed,
        batch_size: settings.config.optim.batch_size,
        repeats: settings.config.optim.repeats,
        micro_batches: run.micro_batches(share.len()),
        share,
        first_step,
        max_unreadable: run.max_unreadable,
    };
    let views = LabelledViews {
        views: AugmentedViews::new(settings),
        data: data.clone(),
    };
    Loader::new(data, views, options)
}
