//! The training of a sweep of linear heads on one readout of images.

use std::collections::HashSet;

use anyhow::Result;
use futures_lite::future::block_on;
use ibot_core::eval::knn::Labelled;
use ibot_core::eval::linear::{LinearFit, LinearSweep};

use super::augmented::Augmented;
use super::bar::TrainingBar;

/// A sweep, and how it goes through its images.
pub struct SweepTraining<'a> {
    pub images: Augmented<'a>,
    pub classes: usize,
    /// Learning rates, one a head.
    pub rates: Vec<f64>,
    pub epochs: usize,
    /// Whether every epoch shows other views of the images to the network, or each image goes
    /// through it once.
    pub augments: bool,
}

impl SweepTraining<'_> {
    /// The heads after all epochs, judged by `val`.
    ///
    /// # Errors
    /// If no image can be read, all heads diverge, or the device fails.
    pub fn run(self, val: Labelled, bar: &TrainingBar) -> Result<LinearFit> {
        let Augmented {
            images,
            features,
            readout,
            batch,
            seed,
        } = self.images;
        let width = val.features.dims()[1];
        let sweep = LinearSweep::new(width, self.classes, self.rates, seed, features.device())?;
        let mut fit = LinearFit::new(sweep, self.epochs, val)?;

        if self.augments {
            let mut warned = HashSet::new();
            for epoch in 0..self.epochs {
                self.images
                    .epoch(epoch, &mut warned, bar, |features, labels| {
                        Ok(fit.step(features, labels)?)
                    })?;
                block_on(fit.end_epoch())?;
                note(bar, &fit);
            }
            return Ok(fit);
        }

        let train = images.labelled(readout, features)?;
        for _ in 0..self.epochs {
            block_on(fit.cached_epoch(&train, batch, seed))?;
            bar.add(images.indices.len());
            note(bar, &fit);
        }
        Ok(fit)
    }
}

fn note(bar: &TrainingBar, fit: &LinearFit) {
    if let Some(best) = fit.best() {
        bar.note(fit.epochs(), best.score.top1);
    }
}
