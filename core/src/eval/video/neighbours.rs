//! Which patches of earlier frames a patch looks at, and the most similar of them.

use std::ops::Range;

use super::soft_mask::SoftMask;
use crate::grid::GridShape;

/// Patches that look for neighbours together.
pub(super) struct Tile {
    /// The grid that they are of.
    pub shape: GridShape,
    pub radius: usize,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Tile {
    /// Rows and columns that any of the patches may look at.
    pub fn reach(&self) -> (Range<usize>, Range<usize>) {
        (
            self.reach_along(&self.rows, self.shape.rows),
            self.reach_along(&self.columns, self.shape.columns),
        )
    }

    /// What a patch at `place` of an axis of `length` patches may look at.
    pub fn reach_of(&self, place: usize, length: usize) -> Range<usize> {
        self.reach_along(&(place..place + 1), length)
    }

    fn reach_along(&self, span: &Range<usize>, length: usize) -> Range<usize> {
        match self.radius {
            0 => 0..length,
            radius => {
                let end = span.end.saturating_add(radius).min(length);
                span.start.saturating_sub(radius)..end
            }
        }
    }
}

/// Neighbouring patches of a reference in one row.
pub(super) struct NeighbourRow<'a> {
    pub mask: &'a SoftMask,
    /// The first of the patches.
    pub first: usize,
    pub cosines: &'a [f32],
}

impl NeighbourRow<'_> {
    /// Adds what patch number `place` of the window belongs to.
    pub fn add(&self, place: usize, weight: f32, shares: &mut [f32]) {
        let classes = shares.len();
        let own = &self.mask.values()[(self.first + place) * classes..][..classes];
        for (share, own) in shares.iter_mut().zip(own) {
            *share += weight * own;
        }
    }
}

/// The few largest numbers of many, in descending order.
pub(super) struct Largest {
    values: Vec<f32>,
    count: usize,
}

impl Largest {
    pub fn new(count: usize) -> Self {
        Self {
            values: Vec::with_capacity(count.min(64) + 1),
            count,
        }
    }

    /// Takes a number; those that are none are left out.
    pub fn offer(&mut self, value: f32) {
        let is_full = self.values.len() == self.count;
        let is_larger = self.values.last().is_none_or(|last| value > *last);
        if value.is_nan() || is_full && !is_larger {
            return;
        }
        let place = self.values.partition_point(|other| *other >= value);
        self.values.insert(place, value);
        self.values.truncate(self.count);
    }

    /// The largest number and the last that was kept.
    pub fn range(&self) -> Option<(f32, f32)> {
        Some((*self.values.first()?, *self.values.last()?))
    }
}
