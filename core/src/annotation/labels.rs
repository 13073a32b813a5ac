//! Labels of pixels, and those of the patches that they lie on.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::shares::PatchShares;
use crate::grid::{Grid, GridShape, PatchGeometry};

/// A label for every pixel of an image; by convention 0 is the background.
pub type LabelMap = Grid<usize>;

/// The label of a pixel that counts for no class: nothing is learned from it, and what is said of
/// it is neither right nor wrong.
pub const IGNORED: usize = usize::MAX;

impl LabelMap {
    /// The most frequent label among the pixels that each patch owns when `rows` x `columns`
    /// patches are stretched over the map; the smallest of equally frequent ones. A patch that owns
    /// no pixel takes the label at its centre.
    pub fn majority(&self, rows: usize, columns: usize) -> Grid<usize> {
        let patches = self.patches(rows, columns);
        Grid::from_fn(rows, columns, |patch| {
            let counts = self.counts(&patches, patch, columns.max(1));
            let most = counts
                .into_iter()
                .max_by_key(|(label, count)| (*count, Reverse(*label)));
            most.map_or(IGNORED, |(label, _)| label)
        })
    }

    /// How much of each patch each label covers when `rows` x `columns` patches are stretched over
    /// the map. Shares are of the pixels that are not [`IGNORED`]; a patch without any has no
    /// labels. A patch that owns no pixel takes the label at its centre.
    pub fn shares(&self, rows: usize, columns: usize) -> PatchShares {
        let patches = self.patches(rows, columns);
        let mut shares = PatchShares::default();
        for patch in 0..patches.count() {
            let mut counts = self.counts(&patches, patch, columns.max(1));
            // Of what is left the shares add up to 1.
            counts.remove(&IGNORED);
            let total: usize = counts.values().sum();
            let of_patch = counts
                .into_iter()
                .map(|(label, count)| (label, count as f32 / total as f32));
            shares.push(of_patch);
        }
        shares
    }

    /// The labels in the view of an image that
    /// [`eval_view`](crate::image::resize::eval_view)`(image, size, resize_to)` shows, as `side` x
    /// `side` pixels, each with the label of the pixel that its centre lies on. Black borders are
    /// [`IGNORED`].
    pub fn eval_view(&self, size: usize, resize_to: usize, side: usize) -> Self {
        let shorter = self.rows().min(self.columns());
        let across = sources(self.columns(), shorter, size, resize_to, side);
        let down = sources(self.rows(), shorter, size, resize_to, side);
        Self::from_fn(side, side, |pixel| {
            match (down[pixel / side.max(1)], across[pixel % side.max(1)]) {
                (Some(row), Some(column)) => self.cells()[row * self.columns() + column],
                _ => IGNORED,
            }
        })
    }

    fn patches(&self, rows: usize, columns: usize) -> PatchGeometry {
        PatchGeometry::stretched(GridShape { rows, columns }, (self.columns(), self.rows()))
    }

    /// How many pixels of each label a patch owns, or its centre.
    fn counts(
        &self,
        patches: &PatchGeometry,
        patch: usize,
        columns: usize,
    ) -> BTreeMap<usize, usize> {
        let owned = patches.pixels_of(patch / columns, patch % columns);
        // A tree keeps labels in order, so that shares and ties come out the same each time.
        let mut counts = BTreeMap::new();
        for y in owned.top..owned.bottom() {
            for label in &self.cells()[y * self.columns()..][owned.left..owned.right()] {
                *counts.entry(*label).or_default() += 1;
            }
        }
        if counts.is_empty() {
            counts.insert(self.at_point(patches.center(patch)), 1);
        }
        counts
    }

    /// The label of the pixel on which the point `(x, y)` lies; outside of the map, of the nearest.
    fn at_point(&self, (x, y): (f64, f64)) -> usize {
        // The first pixel's centre is at 0; `as` takes what is negative as 0.
        let column = ((x + 0.5) as usize).min(self.columns() - 1);
        let row = ((y + 0.5) as usize).min(self.rows() - 1);
        self.cells()[row * self.columns() + column]
    }
}

/// For each of `side` pixels along an axis of a view the pixel of the source, whose axis is `length`
/// pixels long and whose shorter side `shorter`; `None` on the border around the image.
fn sources(
    length: usize,
    shorter: usize,
    size: usize,
    resize_to: usize,
    side: usize,
) -> Vec<Option<usize>> {
    // As the view does it: the longer side is cut to whole pixels, and the crop's place rounded.
    let resized = (resize_to * length / shorter) as f64;
    let difference = resized - size as f64;
    let first = match difference > 0.0 {
        true => (difference / 2.0).round_ties_even(),
        false => -(-difference / 2.0).floor(),
    };

    let mut sources = Vec::with_capacity(side);
    for pixel in 0..side {
        let at = first + (pixel as f64 + 0.5) * size as f64 / side as f64;
        let inside = (0.0..resized).contains(&at);
        let source = (at * length as f64 / resized) as usize;
        sources.push(inside.then_some(source.min(length - 1)));
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::RgbImage;
    use crate::image::resize::eval_view;
    use crate::testing::test;

    #[test]
    fn patches_show_what_most_of_their_pixels_do() {
        let labels = vec![
            1, 1, 0, 5, //
            1, 0, 5, 0, //
            2, 2, 3, 3,
        ];
        let map = LabelMap::new(3, 4, labels).expect("12 labels");
        // Row 0 of two covers pixel row 0, row 1 the other two: 1 0 | 2 2 and 5 0 | 3 3.
        assert_eq!(map.majority(2, 2).cells(), [1, 0, 2, 3]);
        assert_eq!(
            map.majority(1, 1).cells(),
            [0],
            "of three ones, three zeros and others the smallest"
        );
        // Twice as many patches as pixels on each side: half of them own none.
        let fine = map.majority(6, 8);
        for (patch, label) in fine.cells().iter().enumerate() {
            assert_eq!(*label, map.cells()[patch / 8 / 2 * 4 + patch % 8 / 2]);
        }
    }

    #[test]
    fn shares_are_of_the_pixels_that_count() {
        let labels = vec![
            1, 1, 0, IGNORED, //
            1, 7, IGNORED, IGNORED,
        ];
        let map = LabelMap::new(2, 4, labels).expect("8 labels");
        let shares = map.shares(1, 2);
        assert_eq!(shares.of(0), [(1, 0.75), (7, 0.25)]);
        assert_eq!(shares.of(1), [(0, 1.0)]);
        assert!(map.shares(2, 2).of(3).is_empty());
        // Patches finer than pixels take the label at their centres.
        let fine = map.shares(4, 8);
        assert_eq!(fine.of(9), [(1, 1.0)]);
        assert!(fine.of(7).is_empty());
    }

    #[test]
    fn views_of_labels_lie_where_views_of_images_do() {
        // Blocks of 16 pixels, each of one color, whose number is the label.
        for (columns, rows) in [(5, 3), (3, 5), (4, 4)] {
            let (width, height) = (16 * columns, 16 * rows);
            let number = |x: usize, y: usize| y / 16 * columns + x / 16;
            let image = RgbImage::from_fn(width, height, |x, y| [10 * number(x, y) as u8; 3]);
            let map = LabelMap::from_fn(height, width, |i| number(i % width, i / width));

            for (size, resize_to) in [(32, 32), (32, 37), (48, 48), (40, 30)] {
                let view = eval_view(&image, size, resize_to);
                let seen = map.eval_view(size, resize_to, size);
                let mut equal = 0;
                for (i, label) in seen.cells().iter().enumerate() {
                    let shade = usize::from(view.pixel(i % size, i / size)[0]);
                    let expected = if *label == IGNORED { 0 } else { 10 * label };
                    equal += usize::from(shade.abs_diff(expected) < 3);
                }
                // Only near the edges of blocks does the filter mix colors.
                let share = equal as f64 / (size * size) as f64;
                assert!(
                    share > 0.55,
                    "{columns} x {rows}: {share} at {size} of {resize_to}"
                );
                let borders = seen.cells().contains(&IGNORED);
                assert_eq!(borders, size > resize_to, "{size} of {resize_to}");
            }
        }
    }

    #[test]
    fn a_view_of_labels_may_be_coarser_or_finer_than_the_images() {
        let map = LabelMap::from_fn(8, 8, |i| i);
        assert_eq!(map.eval_view(8, 8, 8), map);
        // The centre of each of 4 x 4 pixels lies on the corner of four; the next one is taken.
        assert_eq!(map.eval_view(8, 8, 4).cells()[..2], [9, 11]);
        assert_eq!(map.eval_view(8, 8, 16).cells()[..4], [0, 0, 1, 1]);
        assert_eq!(map.eval_view(4, 8, 4).cells()[..2], [18, 19]);
    }
}
