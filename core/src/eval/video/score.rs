//! J and F of objects over the frames of a sequence, as davis2017-evaluation computes them.

use crate::annotation::labels::LabelMap;
use crate::grid::{Grid, GridShape};
use crate::metrics::boundary::boundary_accuracy;
use crate::metrics::region::region_similarity;

/// How a measure goes over the frames of a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Series {
    /// The mean over frames.
    pub mean: f64,
    /// The share of frames above one half.
    pub recall: f64,
    /// How much is lost: the mean over the first quarter of frames less that over the last.
    pub decay: f64,
}

impl Series {
    /// The statistics of at least one value.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let above = values.iter().filter(|value| **value > 0.5).count();
        let bound = |quarter| quarter_bound(values.len(), quarter);
        let first = &values[bound(0)..=bound(1)];
        let last = &values[bound(3)..=bound(4)];
        Some(Self {
            mean: mean(values),
            recall: above as f64 / values.len() as f64,
            decay: mean(first) - mean(last),
        })
    }

    /// The means of each statistic; zeros without any.
    pub fn mean_of(all: impl ExactSizeIterator<Item = Self>) -> Self {
        let count = all.len().max(1) as f64;
        let mut sum = Self::default();
        for one in all {
            sum.mean += one.mean;
            sum.recall += one.recall;
            sum.decay += one.decay;
        }
        Self {
            mean: sum.mean / count,
            recall: sum.recall / count,
            decay: sum.decay / count,
        }
    }
}

/// The frame where quarter number `quarter` of `count` frames begins. The one before ends there
/// too: both hold the frame.
fn quarter_bound(count: usize, quarter: usize) -> usize {
    let place = 1.0 + quarter as f64 * ((count - 1) as f64 / 4.0);
    // The reference rounds halves up by this small number.
    (place + 1e-10).round_ties_even() as usize - 1
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Region similarity (J) and boundary accuracy (F) of an object over a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ObjectScore {
    /// J: intersection over union.
    pub region: Series,
    /// F: agreement of the boundaries.
    pub boundary: Series,
}

impl ObjectScore {
    /// The means over objects; zeros without any.
    pub fn mean_of(all: &[Self]) -> Self {
        Self {
            region: Series::mean_of(all.iter().map(|score| score.region)),
            boundary: Series::mean_of(all.iter().map(|score| score.boundary)),
        }
    }

    /// The mean of J and F.
    pub fn mean(&self) -> f64 {
        (self.region.mean + self.boundary.mean) / 2.0
    }
}

/// A mask that was found has another size than the true one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the true mask has {} x {} pixels, the one that was found {} x {}",
    .truth.columns, .truth.rows, .found.columns, .found.rows
)]
#[allow(missing_docs)]
pub struct SizeMismatch {
    pub truth: GridShape,
    pub found: GridShape,
}

/// Judges the masks of a sequence, frame by frame.
pub struct SequenceScorer {
    /// For each object J of each frame.
    region: Vec<Vec<f64>>,
    /// For each object F of each frame.
    boundary: Vec<Vec<f64>>,
}

impl SequenceScorer {
    /// A judge of objects 1 to `objects`.
    pub fn new(objects: usize) -> Self {
        Self {
            region: vec![Vec::new(); objects],
            boundary: vec![Vec::new(); objects],
        }
    }

    /// Judges a frame by its true mask.
    ///
    /// # Errors
    /// If the sizes differ.
    pub fn add(&mut self, truth: &LabelMap, found: &LabelMap) -> Result<(), SizeMismatch> {
        if truth.shape() != found.shape() {
            return Err(SizeMismatch {
                truth: truth.shape(),
                found: found.shape(),
            });
        }

        let series = self.region.iter_mut().zip(&mut self.boundary);
        for (object, (region, boundary)) in (1..).zip(series) {
            let (truth, found) = (mask_of(truth, object), mask_of(found, object));
            region.push(region_similarity(truth.cells(), found.cells()));
            boundary.push(boundary_accuracy(truth.view(), found.view()));
        }
        Ok(())
    }

    /// The score of each object; `None` if no frame was judged.
    pub fn scores(&self) -> Option<Vec<ObjectScore>> {
        let mut scores = Vec::with_capacity(self.region.len());
        for (region, boundary) in self.region.iter().zip(&self.boundary) {
            scores.push(ObjectScore {
                region: Series::of(region)?,
                boundary: Series::of(boundary)?,
            });
        }
        Some(scores)
    }

    /// For each object J and F of each frame that was judged.
    #[cfg(test)]
    pub(super) fn frames(&self) -> (&[Vec<f64>], &[Vec<f64>]) {
        (&self.region, &self.boundary)
    }
}

fn mask_of(labels: &LabelMap, object: usize) -> Grid<bool> {
    Grid::from_fn(labels.rows(), labels.columns(), |pixel| {
        labels.cells()[pixel] == object
    })
}
