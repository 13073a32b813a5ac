//! Labels of pixels, and those of the patches that they lie on.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::grid::{Grid, GridShape, PatchGeometry};

/// A label for every pixel of an image; by convention 0 is the background.
pub type LabelMap = Grid<usize>;

impl LabelMap {
    /// The most frequent label among the pixels that each patch owns when `rows` x `columns`
    /// patches are stretched over the map; the smallest of equally frequent ones. A patch that owns
    /// no pixel takes the label at its centre.
    pub fn majority(&self, rows: usize, columns: usize) -> Grid<usize> {
        let pixels = (self.columns(), self.rows());
        let patches = PatchGeometry::stretched(GridShape { rows, columns }, pixels);

        Grid::from_fn(rows, columns, |patch| {
            let owned = patches.pixels_of(patch / columns.max(1), patch % columns.max(1));
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for y in owned.top..owned.bottom() {
                for label in &self.cells()[y * self.columns()..][owned.left..owned.right()] {
                    *counts.entry(*label).or_default() += 1;
                }
            }

            let most = counts
                .into_iter()
                .max_by_key(|(label, count)| (*count, Reverse(*label)));
            match most {
                Some((label, _)) => label,
                None => self.at_point(patches.center(patch)),
            }
        })
    }

    /// The label of the pixel on which the point `(x, y)` lies; outside of the map, of the nearest.
    fn at_point(&self, (x, y): (f64, f64)) -> usize {
        // The first pixel's centre is at 0; `as` takes what is negative as 0.
        let column = ((x + 0.5) as usize).min(self.columns() - 1);
        let row = ((y + 0.5) as usize).min(self.rows() - 1);
        self.cells()[row * self.columns() + column]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
