//! From shares of patches to labels of pixels.

use super::nearest::nearest_places;
use super::soft_mask::SoftMask;
use crate::annotation::labels::LabelMap;
use crate::image::taps::{Taps, taps};

impl SoftMask {
    /// The labels of a frame of `(width, height)` pixels, which the network saw with patches of
    /// `patch` pixels: shares grow to the pixels that the network saw, bilinear as PyTorch's
    /// `interpolate` does it; each class is stretched to 0 to 1, so that an object that is nowhere
    /// sure is found too; the largest wins, and the frame takes the nearest of these labels.
    pub fn labels(&self, patch: usize, (width, height): (usize, usize)) -> LabelMap {
        let rows = taps(self.shape().rows, patch as f64);
        let columns = taps(self.shape().columns, patch as f64);
        let ranges = self.ranges(&rows, &columns);

        let from_rows = nearest_places(rows.len(), height.max(1));
        let from_columns = nearest_places(columns.len(), width.max(1));
        let mut labels = Vec::with_capacity(width * height);
        for row in from_rows {
            let mixed = self.mixed_row(&rows[row]);
            for column in &from_columns {
                let shares = self.shares(&mixed, &columns[*column]);
                labels.push(largest(shares, &ranges));
            }
        }
        LabelMap::from_fn(height, width, |pixel| {
            labels.get(pixel).copied().unwrap_or(0)
        })
    }

    /// The range of each class over all pixels that the network saw.
    fn ranges(&self, rows: &[Taps], columns: &[Taps]) -> Vec<ShareRange> {
        let mut ranges = vec![ShareRange::NONE; self.classes()];
        for row in rows {
            let mixed = self.mixed_row(row);
            for column in columns {
                for (range, share) in ranges.iter_mut().zip(self.shares(&mixed, column)) {
                    range.low = range.low.min(share);
                    range.high = range.high.max(share);
                }
            }
        }
        ranges
    }

    /// A row of pixels above the columns of patches, `[columns, classes]`.
    fn mixed_row(&self, row: &Taps) -> Vec<f32> {
        let width = self.shape().columns * self.classes();
        let upper = &self.values()[row.first * width..][..width];
        let lower = &self.values()[row.second * width..][..width];
        let pairs = upper.iter().zip(lower);
        pairs
            .map(|(upper, lower)| row.mix(*upper, *lower))
            .collect()
    }

    fn shares<'a>(
        &self,
        mixed: &'a [f32],
        column: &'a Taps,
    ) -> impl Iterator<Item = f32> + use<'a> {
        let classes = self.classes();
        let left = &mixed[column.first * classes..][..classes];
        let right = &mixed[column.second * classes..][..classes];
        let pairs = left.iter().zip(right);
        pairs.map(|(left, right)| column.mix(*left, *right))
    }
}

#[derive(Clone, Copy)]
struct ShareRange {
    low: f32,
    high: f32,
}

impl ShareRange {
    const NONE: Self = Self {
        low: f32::INFINITY,
        high: f32::NEG_INFINITY,
    };

    /// A share stretched to 0 to 1. A class that is the same everywhere keeps its share: the
    /// official code divides by zero there.
    fn stretch(&self, share: f32) -> f32 {
        let length = self.high - self.low;
        match self.high > 0.0 && length > 0.0 {
            true => (share - self.low) / length,
            false => share,
        }
    }
}

/// The class whose stretched share is largest, the first of equals.
fn largest(shares: impl Iterator<Item = f32>, ranges: &[ShareRange]) -> usize {
    let (mut best, mut most) = (0, f32::NEG_INFINITY);
    for ((class, share), range) in shares.enumerate().zip(ranges) {
        let share = range.stretch(share);
        if share > most {
            (best, most) = (class, share);
        }
    }
    best
}
