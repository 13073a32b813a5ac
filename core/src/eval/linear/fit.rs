//! A sweep from its first step to its best head.

use burn::tensor::Tensor;

use super::sweep::LinearSweep;
use crate::eval::heads::{HeadScore, ProbeError, Tally, batch, best_head, on_device, order};
use crate::eval::knn::Labelled;
use crate::learn::Classifier;
use crate::optim::Schedule;

/// Images that are judged at a time.
const CHUNK: usize = 1024;

/// The best head of any epoch.
#[derive(Clone, Debug)]
pub struct BestHead {
    /// Epochs until then.
    pub epochs: usize,
    /// Its place in the sweep.
    pub head: usize,
    /// How it did then.
    pub score: HeadScore,
    /// What it had learned by then.
    pub classifier: Classifier,
}

/// The training of a sweep: half a cosine over its epochs, and every head judged after each.
#[derive(Clone, Debug)]
pub struct LinearFit {
    sweep: LinearSweep,
    val: Labelled,
    schedule: Schedule,
    epochs: usize,
    scores: Vec<HeadScore>,
    best: Option<BestHead>,
}

impl LinearFit {
    /// A sweep before its first step, to be trained for `epochs` epochs and judged by `val`.
    ///
    /// # Errors
    /// If there is no image to judge by, or one does not fit the heads.
    pub fn new(sweep: LinearSweep, epochs: usize, val: Labelled) -> Result<Self, ProbeError> {
        sweep.check(&val.features, &val.labels, "judge by")?;
        Ok(Self {
            sweep,
            val,
            // torch's CosineAnnealingLR: constant within an epoch, and not yet 0 in the last.
            schedule: Schedule::cosine(1.0, 0.0, epochs),
            epochs: 0,
            scores: Vec::new(),
            best: None,
        })
    }

    /// One step of every head on images with these features `[B, D]` and classes.
    ///
    /// # Errors
    /// If there is no image, or a feature or a label does not fit the heads.
    pub fn step(&mut self, features: Tensor<2>, labels: &[usize]) -> Result<(), ProbeError> {
        let schedule = self.schedule.at(self.epochs);
        self.sweep.step(features, labels, schedule)
    }

    /// Trains one epoch on features that stay the same, in batches of `size` images; the last is
    /// smaller if they do not divide evenly. Then judges the heads.
    ///
    /// # Errors
    /// If there is no image, one does not fit the heads, all heads diverged, or the device fails.
    pub async fn cached_epoch(
        &mut self,
        train: &Labelled,
        size: usize,
        seed: u64,
    ) -> Result<&[HeadScore], ProbeError> {
        let order = order(train.labels.len(), seed, self.epochs);
        for images in order.chunks(size.max(1)) {
            let (features, labels) = batch(&train.features, &train.labels, images);
            self.step(features, &labels)?;
        }
        self.end_epoch().await
    }

    /// Judges all heads after the last step of an epoch, and keeps the best if it is better than
    /// any before.
    ///
    /// # Errors
    /// If all heads diverged, or the device fails.
    pub async fn end_epoch(&mut self) -> Result<&[HeadScore], ProbeError> {
        self.epochs += 1;

        let mut tally = Tally::EMPTY;
        for (number, labels) in self.val.labels.chunks(CHUNK).enumerate() {
            let features = self.val.features.clone();
            let features = features.narrow(0, number * CHUNK, labels.len());
            let labels = on_device(labels, &features.device());
            tally.add(self.sweep.logits(features), labels);
        }
        self.scores = tally.scores(self.sweep.rates()).await?;

        let head = best_head(&self.scores).ok_or(ProbeError::Diverged(self.epochs))?;
        let score = self.scores[head];
        let improves = |best: &BestHead| score.top1 > best.score.top1;
        if self.best.as_ref().is_none_or(improves) {
            self.best = Some(BestHead {
                epochs: self.epochs,
                head,
                score,
                classifier: self.sweep.classifier(head).await?,
            });
        }
        Ok(&self.scores)
    }

    /// Epochs trained.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// The scores of all heads after the last epoch; empty before the first.
    pub fn scores(&self) -> &[HeadScore] {
        &self.scores
    }

    /// The best head of any epoch; `None` before the first. It is chosen by the images that it is
    /// judged by, as in the official code, so it flatters the features a little.
    pub fn best(&self) -> Option<&BestHead> {
        self.best.as_ref()
    }
}
