//! From the votes of patches to the classes of pixels.

use crate::annotation::labels::LabelMap;
use crate::grid::GridShape;
use crate::image::taps::{Taps, stretched};

/// The class with the most votes at each pixel of a map of `(width, height)` pixels: the `votes`
/// `[patches, classes]` of a `grid` are interpolated bilinearly, the grid stretched over the map. The
/// first class among equals.
pub fn upsample(votes: &[f32], grid: GridShape, (width, height): (usize, usize)) -> LabelMap {
    let classes = (votes.len() / grid.count().max(1)).max(1);
    let present = present(votes, classes);
    let across = stretched(grid.columns, width.max(1));
    let down = stretched(grid.rows, height.max(1));

    let count = present.len();
    let mut row_votes = vec![0.0; grid.columns * count];
    let mut row = usize::MAX;
    LabelMap::from_fn(height, width, |pixel| {
        let (y, x) = (pixel / across.len(), pixel % across.len());
        if y != row {
            row = y;
            blend_rows(votes, classes, &present, &down[y], &mut row_votes);
        }

        let place = &across[x];
        let before = &row_votes[place.first * count..][..count];
        let after = &row_votes[place.second * count..][..count];
        let (mut best, mut most) = (0, f32::NEG_INFINITY);
        for (number, class) in present.iter().enumerate() {
            let vote = place.mix(before[number], after[number]);
            if vote > most {
                (best, most) = (*class, vote);
            }
        }
        best
    })
}

/// The classes with votes anywhere: most images have few of many.
fn present(votes: &[f32], classes: usize) -> Vec<usize> {
    let mut is_present = vec![false; classes];
    for of_patch in votes.chunks_exact(classes) {
        for (seen, vote) in is_present.iter_mut().zip(of_patch) {
            *seen |= *vote > 0.0;
        }
    }
    (0..classes).filter(|class| is_present[*class]).collect()
}

/// Votes of a row of pixels at the columns of the grid, for the classes that are `present`.
fn blend_rows(
    votes: &[f32],
    classes: usize,
    present: &[usize],
    place: &Taps,
    row_votes: &mut [f32],
) {
    let columns = row_votes.len() / present.len().max(1);
    let mut blended = row_votes.iter_mut();
    for column in 0..columns {
        let before = &votes[(place.first * columns + column) * classes..][..classes];
        let after = &votes[(place.second * columns + column) * classes..][..classes];
        for (class, vote) in present.iter().zip(&mut blended) {
            *vote = place.mix(before[*class], after[*class]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_class_reaches_to_the_middle_between_two_centres() {
        let grid = GridShape {
            rows: 1,
            columns: 2,
        };
        let map = upsample(&[0.0, 1.0, 0.0, 0.0, 0.0, 1.0], grid, (8, 2));
        assert_eq!(map.cells(), [[1, 1, 1, 1, 2, 2, 2, 2]; 2].concat());
        // The second class wins where its share is above one half.
        let map = upsample(&[1.0, 0.0, 0.3, 0.7], grid, (8, 1));
        assert_eq!(map.cells(), [0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(upsample(&[0.0; 4], grid, (2, 1)).cells(), [0, 0]);
    }
}
