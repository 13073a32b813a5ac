//! How well the boundaries of two masks agree: the F of DAVIS.

use crate::grid::{Grid, GridRef, GridShape};

/// Boundaries match within this share of the diagonal of the frame.
const TOLERANCE: f64 = 0.008;

/// The harmonic mean of two shares: of the boundary of `found` that lies near that of `truth`, and
/// of the boundary of `truth` that lies near that of `found`. Near is within 0.8 % of the diagonal,
/// rounded up to pixels. 1 if neither mask has a boundary, 0 if one has.
///
/// Both masks have the same shape; what one of them lacks counts as no boundary.
pub fn boundary_accuracy(truth: GridRef<bool>, found: GridRef<bool>) -> f64 {
    let radius = tolerance(truth.shape());
    let (truth, found) = (boundary(truth), boundary(found));
    let of_found = MatchedBoundary::count(&found, &near(&truth, radius));
    let of_truth = MatchedBoundary::count(&truth, &near(&found, radius));
    if of_found.pixels == 0 && of_truth.pixels == 0 {
        return 1.0;
    }

    let (precision, recall) = (of_found.share(), of_truth.share());
    match precision + recall {
        0.0 => 0.0,
        sum => 2.0 * precision * recall / sum,
    }
}

struct MatchedBoundary {
    pixels: usize,
    matched: usize,
}

impl MatchedBoundary {
    fn count(boundary: &Grid<bool>, near_other: &Grid<bool>) -> Self {
        let mut counts = Self {
            pixels: 0,
            matched: 0,
        };
        for (on_boundary, near) in boundary.cells().iter().zip(near_other.cells()) {
            counts.pixels += usize::from(*on_boundary);
            counts.matched += usize::from(*on_boundary && *near);
        }
        counts
    }

    fn share(&self) -> f64 {
        match self.pixels {
            // A boundary without a pixel claims nothing that is wrong.
            0 => 1.0,
            pixels => self.matched as f64 / pixels as f64,
        }
    }
}

fn tolerance(shape: GridShape) -> usize {
    let diagonal = (shape.rows as f64).hypot(shape.columns as f64);
    (TOLERANCE * diagonal).ceil() as usize
}

/// The pixels whose neighbour to the right, below, or to the right below is on the other side of
/// the mask's edge.
fn boundary(mask: GridRef<bool>) -> Grid<bool> {
    let GridShape { rows, columns } = mask.shape();
    let cells = mask.cells();
    Grid::from_fn(rows, columns, |pixel| {
        let own = cells[pixel];
        let has_right = pixel % columns + 1 < columns;
        let has_below = pixel / columns + 1 < rows;
        let differs = |other: usize| cells[other] != own;
        has_right && differs(pixel + 1)
            || has_below && differs(pixel + columns)
            || has_right && has_below && differs(pixel + columns + 1)
    })
}

/// The pixels that are within `radius` pixels of one that is set.
fn near(boundary: &Grid<bool>, radius: usize) -> Grid<bool> {
    let GridShape { rows, columns } = boundary.shape();
    // Disks are drawn around the few pixels of a boundary, where an erosion or a transform of
    // distances would look at all pixels.
    // Half the width of the disk in each of its rows, from the middle one on.
    let mut reach = Vec::with_capacity(radius + 1);
    for row in 0..=radius {
        reach.push((radius * radius - row * row).isqrt());
    }

    let mut found = vec![false; rows * columns];
    for (pixel, _) in boundary.cells().iter().enumerate().filter(|(_, set)| **set) {
        let (row, column) = (pixel / columns, pixel % columns);
        for other in row.saturating_sub(radius)..(row + radius + 1).min(rows) {
            let reach = reach[row.abs_diff(other)];
            let first = column.saturating_sub(reach);
            let end = (column + reach + 1).min(columns);
            found[other * columns..][first..end].fill(true);
        }
    }
    Grid::from_fn(rows, columns, |pixel| found[pixel])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_boundary_is_left_of_and_above_the_edge() {
        let mask = GridRef::new(
            3,
            4,
            &[
                false, false, false, false, //
                false, true, true, false, //
                false, false, false, false,
            ],
        );
        let found = boundary(mask.expect("3 x 4"));
        let expected = [
            true, true, true, false, //
            true, true, true, false, //
            false, false, false, false,
        ];
        assert_eq!(found.cells(), expected);
    }

    #[test]
    fn near_is_a_disk() {
        let point = Grid::from_fn(5, 7, |pixel| pixel == 2 * 7 + 3);
        let disk = near(&point, 2);
        let count = disk.cells().iter().filter(|set| **set).count();
        assert_eq!(count, 13);
        assert!(disk.cells()[3] && !disk.cells()[2]);
    }
}
