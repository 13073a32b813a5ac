//! What classifiers share that learn side by side on frozen features: their images, how good they
//! are, and which is best.

use burn::tensor::{Device, ExecutionError, Int, Tensor, TensorData, activation};
use rand::seq::SliceRandom as _;

use crate::rng::{Purpose, stream};

/// Most guesses that a measure looks at.
const TOP: f64 = 5.0;

/// Why classifiers cannot be trained or judged.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ProbeError {
    #[error("there is no image to {0}")]
    Empty(&'static str),
    #[error("a classifier needs at least two classes, not {0}")]
    Classes(usize),
    #[error("a feature of width {actual} for a head of width {expected}")]
    Width { expected: usize, actual: usize },
    #[error("an image has class number {label}, but there are {classes} classes")]
    Label { label: usize, classes: usize },
    #[error("every head diverged in epoch {0}: the features are not finite or far too large")]
    Diverged(usize),
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// Checks that images have labels, and that these are among the classes; `purpose` says what the
/// images are for.
///
/// # Errors
/// If there is no image, or a label does not fit.
pub(super) fn check_labels(
    images: usize,
    labels: &[usize],
    classes: usize,
    purpose: &'static str,
) -> Result<(), ProbeError> {
    if images == 0 || images != labels.len() {
        return Err(ProbeError::Empty(purpose));
    }
    match labels.iter().find(|label| **label >= classes) {
        Some(label) => Err(ProbeError::Label {
            label: *label,
            classes,
        }),
        None => Ok(()),
    }
}

/// How a head did on the images to judge by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadScore {
    /// The head's learning rate before its schedule.
    pub rate: f64,
    /// Mean cross-entropy; not finite if the head diverged.
    pub loss: f64,
    /// Share of images whose class has the largest logit. Classes with equal logits count as wrong.
    pub top1: f64,
    /// Share of images whose class is among those with the five largest logits.
    pub top5: f64,
}

/// The head with the highest top-1 accuracy, the later one among equals, as in the official code.
/// Heads that diverged do not count; `None` if all did.
pub fn best_head(scores: &[HeadScore]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (head, score) in scores.iter().enumerate() {
        let beaten = best.is_some_and(|best| scores[best].top1 > score.top1);
        if score.loss.is_finite() && !beaten {
            best = Some(head);
        }
    }
    best
}

/// Sums over images, for all heads.
pub(super) struct Tally {
    /// Cross-entropies, first guesses that are right, classes among the first five: `[3, J]`.
    sums: Option<Tensor<2>>,
    images: usize,
}

impl Tally {
    /// Sums over no image.
    pub const EMPTY: Self = Self {
        sums: None,
        images: 0,
    };

    /// Adds images with these `logits` `[B, J, K]` of J heads and these classes `[B]`.
    pub fn add(&mut self, logits: Tensor<3>, labels: Tensor<1, Int>) {
        let [images, heads, classes] = logits.dims();
        let labels = labels.reshape([images, 1, 1]).expand([images, heads, 1]);
        let right = logits.clone().gather(2, labels.clone());

        // A logit that is not a number is not even equal to itself, so its count is 0.
        let not_behind = logits
            .clone()
            .greater_equal(right.expand([images, heads, classes]))
            .float()
            .sum_dim(2);
        // Alone not behind the true class is that class itself.
        let first = not_behind.clone().equal_elem(1.0).float().sum_dim(0);
        let among_five = not_behind
            .clone()
            .lower_equal_elem(TOP)
            .bool_and(not_behind.greater_elem(0.0))
            .float()
            .sum_dim(0);
        let loss = activation::log_softmax(logits, 2)
            .gather(2, labels)
            .sum_dim(0)
            .neg();

        let rows = [loss, first, among_five].map(|row| row.reshape([1, heads]));
        let sums = Tensor::cat(rows.to_vec(), 0);
        self.sums = Some(match self.sums.take() {
            Some(earlier) => earlier + sums,
            None => sums,
        });
        self.images += images;
    }

    /// The scores of the heads with these learning rates.
    pub async fn scores(self, rates: &[f64]) -> Result<Vec<HeadScore>, ExecutionError> {
        let Some(sums) = self.sums else {
            return Ok(Vec::new());
        };
        let data = sums.into_data_async().await?;
        let sums: Vec<f64> = data.iter::<f64>().collect();
        let images = self.images as f64;

        let mut scores = Vec::with_capacity(rates.len());
        for (head, rate) in rates.iter().enumerate() {
            let mean = |sum: usize| sums[sum * rates.len() + head] / images;
            scores.push(HeadScore {
                rate: *rate,
                loss: mean(0),
                top1: mean(1),
                top5: mean(2),
            });
        }
        Ok(scores)
    }
}

/// Numbers on a device, such as classes, `[B]`.
pub(super) fn on_device(numbers: &[usize], device: &Device) -> Tensor<1, Int> {
    let numbers: Vec<i32> = numbers.iter().map(|number| *number as i32).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}

/// The order of so many images in an epoch.
pub(super) fn order(images: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..images).collect();
    order.shuffle(&mut stream(seed, Purpose::Order, epoch as u64, 0));
    order
}

/// The features and classes of some images, of all `features` `[M, ..]` and `labels`.
pub(super) fn batch<const D: usize>(
    features: &Tensor<D>,
    labels: &[usize],
    images: &[usize],
) -> (Tensor<D>, Vec<usize>) {
    let rows = on_device(images, &features.device());
    let labels = images.iter().map(|image| labels[*image]).collect();
    (features.clone().select(0, rows), labels)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::test;

    #[test]
    fn the_later_of_equal_heads_is_best() {
        let score = |top1, loss| HeadScore {
            rate: 1.0,
            loss,
            top1,
            top5: 1.0,
        };
        let scores = [
            score(0.5, 1.0),
            score(0.7, 1.0),
            score(0.7, 2.0),
            score(0.9, f64::NAN),
            score(0.6, 0.1),
        ];
        assert_eq!(best_head(&scores), Some(2));
        assert_eq!(best_head(&scores[3..4]), None);
    }

    #[test]
    fn equal_logits_count_as_wrong() {
        let mut tally = Tally::EMPTY;
        let device = Device::flex();
        let logits = Tensor::<1>::from_floats([1.0, 1.0, 0.0, 3.0, 2.0, 9.0], &device);
        tally.add(logits.reshape([2, 1, 3]), on_device(&[0, 2], &device));
        let scores = block_on(tally.scores(&[0.1])).expect("flex");
        assert_eq!((scores[0].top1, scores[0].top5), (0.5, 1.0));
    }
}
