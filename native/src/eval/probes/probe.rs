//! What the training needs of the classifiers that it trains.

use anyhow::Result;
use burn::tensor::Tensor;
use futures_lite::future::block_on;
use ibot_core::eval::HeadScore;
use ibot_core::eval::attentive::{AttentiveFit, PatchFeatures};
use ibot_core::eval::knn::Labelled;
use ibot_core::eval::linear::LinearFit;

use crate::features::Readout;

/// Classifiers that learn side by side from one readout of images.
pub trait Probe {
    /// What they read of an image.
    fn readout(&self) -> Readout;

    /// One step on rows `[B, width]` of the readout and their classes.
    fn step(&mut self, rows: Tensor<2>, labels: &[usize]) -> Result<()>;

    /// Judges the classifiers after an epoch of steps.
    ///
    /// # Errors
    /// If all of them diverged, or the device fails.
    fn end_epoch(&mut self) -> Result<()>;

    /// An epoch on rows that stay the same, in batches of `batch` images, with its end.
    fn cached_epoch(&mut self, train: &Labelled, batch: usize, seed: u64) -> Result<()>;

    /// Epochs trained, and the best score of any of them.
    fn best(&self) -> Option<(usize, HeadScore)>;
}

/// A sweep of linear heads.
pub struct LinearProbe {
    pub readout: Readout,
    pub fit: LinearFit,
}

impl Probe for LinearProbe {
    fn readout(&self) -> Readout {
        self.readout
    }

    fn step(&mut self, rows: Tensor<2>, labels: &[usize]) -> Result<()> {
        Ok(self.fit.step(rows, labels)?)
    }

    fn end_epoch(&mut self) -> Result<()> {
        block_on(self.fit.end_epoch())?;
        Ok(())
    }

    fn cached_epoch(&mut self, train: &Labelled, batch: usize, seed: u64) -> Result<()> {
        block_on(self.fit.cached_epoch(train, batch, seed))?;
        Ok(())
    }

    fn best(&self) -> Option<(usize, HeadScore)> {
        let best = self.fit.best()?;
        Some((self.fit.epochs(), best.score))
    }
}

/// Attentive probes on patch tokens `width` wide.
pub struct AttentiveProbe {
    pub width: usize,
    pub fit: AttentiveFit,
}

impl AttentiveProbe {
    /// Rows of [`Readout::Patches`] with their classes, token by token.
    pub fn patches(rows: Labelled, width: usize) -> PatchFeatures {
        PatchFeatures {
            patches: by_patch(rows.features, width),
            labels: rows.labels,
        }
    }
}

impl Probe for AttentiveProbe {
    fn readout(&self) -> Readout {
        Readout::Patches
    }

    fn step(&mut self, rows: Tensor<2>, labels: &[usize]) -> Result<()> {
        Ok(self.fit.step(by_patch(rows, self.width), labels)?)
    }

    fn end_epoch(&mut self) -> Result<()> {
        block_on(self.fit.end_epoch())?;
        Ok(())
    }

    fn cached_epoch(&mut self, train: &Labelled, batch: usize, seed: u64) -> Result<()> {
        let train = Self::patches(train.clone(), self.width);
        block_on(self.fit.cached_epoch(&train, batch, seed))?;
        Ok(())
    }

    fn best(&self) -> Option<(usize, HeadScore)> {
        let (_, score) = self.fit.best()?;
        Some((self.fit.epochs(), score))
    }
}

/// `[M, N D]` as `[M, N, D]`.
fn by_patch(rows: Tensor<2>, width: usize) -> Tensor<3> {
    let [images, values] = rows.dims();
    rows.reshape([images, values / width, width])
}
