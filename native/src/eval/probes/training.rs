//! The training of probes: all of them in one pass over augmented images, or one after another on
//! features that stay the same.

use std::collections::HashSet;

use anyhow::Result;

use super::augmented::Augmented;
use super::bar::TrainingBar;
use super::probe::Probe;
use crate::features::Readout;

/// How probes go through the images that they learn from.
pub struct ProbeTraining<'a> {
    pub images: Augmented<'a>,
    pub epochs: usize,
    /// Whether every epoch shows other views of the images to the network, or each image goes
    /// through it once.
    pub augments: bool,
}

impl ProbeTraining<'_> {
    /// Trains `probes`, and judges them after every epoch.
    ///
    /// # Errors
    /// If no image can be read, all classifiers of a probe diverge, or the device fails.
    pub fn run(&self, probes: &mut [&mut dyn Probe]) -> Result<()> {
        if self.augments {
            self.augmented(probes)
        } else {
            self.cached(probes)
        }
    }

    /// An epoch shows each image to the network once, for all probes.
    fn augmented(&self, probes: &mut [&mut dyn Probe]) -> Result<()> {
        let bar = self.bar(1);
        let readouts: Vec<Readout> = probes.iter().map(|probe| probe.readout()).collect();
        let mut warned = HashSet::new();
        for epoch in 0..self.epochs {
            let learn = |rows, labels: &[usize]| {
                for (probe, rows) in probes.iter_mut().zip(rows) {
                    probe.step(rows, labels)?;
                }
                Ok(())
            };
            self.images
                .epoch(epoch, &readouts, &mut warned, &bar, learn)?;
            for probe in &mut *probes {
                probe.end_epoch()?;
                note(&bar, *probe);
            }
        }
        Ok(())
    }

    /// One probe after another, so that the rows of only one are in memory.
    fn cached(&self, probes: &mut [&mut dyn Probe]) -> Result<()> {
        let Augmented {
            images,
            features,
            batch,
            seed,
        } = self.images;
        let bar = self.bar(probes.len());
        for probe in probes {
            let train = images.labelled(probe.readout(), features)?;
            for _ in 0..self.epochs {
                probe.cached_epoch(&train, batch, seed)?;
                bar.add(images.indices.len());
                note(&bar, *probe);
            }
        }
        Ok(())
    }

    /// The progress of so many passes over the images in each epoch.
    fn bar(&self, passes: usize) -> TrainingBar {
        let images = passes * self.epochs * self.images.images.indices.len();
        TrainingBar::new(images, self.images.features.shows_progress())
    }
}

fn note(bar: &TrainingBar, probe: &dyn Probe) {
    if let Some((epochs, best)) = probe.best() {
        bar.note(epochs, best.top1);
    }
}
