//! How much each patch belongs to each object.

use super::nearest::nearest;
use crate::annotation::labels::LabelMap;
use crate::grid::{GridShape, PatchGeometry};

/// For each patch of a frame the shares of background and objects.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftMask {
    shape: GridShape,
    classes: usize,
    /// `[N, classes]`, patch by patch; class 0 is the background.
    values: Vec<f32>,
}

impl SoftMask {
    /// The mask of a frame with `objects` objects on `shape` patches: each patch belongs to what
    /// its nearest pixel shows, so that a small object may lose all patches.
    pub fn of(labels: &LabelMap, objects: usize, shape: GridShape) -> Self {
        let mut mask = Self::empty(shape, objects + 1);
        let small = nearest(labels, shape.rows, shape.columns);
        for (values, label) in mask.values.chunks_exact_mut(objects + 1).zip(small.cells()) {
            // Labels beyond the objects are none of them.
            values[if *label > objects { 0 } else { *label }] = 1.0;
        }
        mask
    }

    pub(super) fn empty(shape: GridShape, classes: usize) -> Self {
        Self {
            shape,
            classes,
            values: vec![0.0; shape.count() * classes],
        }
    }

    /// Rows and columns of patches.
    pub fn shape(&self) -> GridShape {
        self.shape
    }

    /// Background and objects.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All shares, `[N, classes]`, patch by patch.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The objects of `labels` that have no patch.
    pub fn lost(&self, labels: &LabelMap) -> Vec<usize> {
        let mut shown = vec![false; self.classes];
        for label in labels.cells() {
            if let Some(shown) = shown.get_mut(*label) {
                *shown = true;
            }
        }
        let has_patch = |object: &usize| {
            let shares = self.values.iter().skip(*object).step_by(self.classes);
            shares.into_iter().any(|share| *share > 0.0)
        };
        (1..self.classes)
            .filter(|object| shown[*object] && !has_patch(object))
            .collect()
    }

    /// Gives `object` the patch that holds most of its pixels in `labels`.
    pub fn restore(&mut self, labels: &LabelMap, object: usize) {
        let size = (labels.columns(), labels.rows());
        let geometry = PatchGeometry::stretched(self.shape, size);
        let mut counts = vec![0; self.shape.count()];
        for (pixel, label) in labels.cells().iter().enumerate() {
            if *label == object {
                counts[geometry.patch_of_pixel(pixel % size.0, pixel / size.0)] += 1;
            }
        }

        // Of equals the first, from the top.
        let patches = counts.iter().enumerate().rev();
        let Some((patch, count)) = patches.max_by_key(|(_, count)| **count) else {
            return;
        };
        if *count > 0 && object < self.classes {
            let values = &mut self.values[patch * self.classes..][..self.classes];
            values.fill(0.0);
            values[object] = 1.0;
        }
    }
}
