//! The windows of a grid of tokens: how tokens are put into them and taken out again.

use crate::kernels::{Rearrangement, Regions};

/// Windows of `side` by `side` tokens over a grid that is padded at the bottom and the right to
/// whole windows, then rolled up and left by `shift` tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    rows: usize,
    columns: usize,
    side: usize,
    shift: usize,
}

impl Windows {
    pub fn new((rows, columns): (usize, usize), side: usize, shift: usize) -> Self {
        Self {
            rows,
            columns,
            side,
            shift,
        }
    }

    /// Tokens of a window, padding included.
    pub fn tokens(&self) -> usize {
        self.side * self.side
    }

    /// From the tokens of the grid, row by row, to those of the windows, window by window. Padding is
    /// zeros.
    pub fn partition(&self) -> Rearrangement {
        let (padded_rows, padded_columns) = self.padded();
        let sources = self.cells().map(|(row, column)| {
            let row = (row + self.shift) % padded_rows;
            let column = (column + self.shift) % padded_columns;
            (row < self.rows && column < self.columns).then_some(row * self.columns + column)
        });
        Rearrangement::new(sources.collect(), self.rows * self.columns)
    }

    /// Which tokens of a window were beside each other before the roll; `None` without a shift.
    ///
    /// The rolled grid has three bands of rows, cut at `Hp - w` and `Hp - s`, and three of columns.
    /// Padding belongs to its band, as in the official code.
    pub fn regions(&self) -> Option<Regions> {
        if self.shift == 0 {
            return None;
        }

        let (padded_rows, padded_columns) = self.padded();
        let regions = self.cells().map(|(row, column)| {
            3 * self.band(row, padded_rows) + self.band(column, padded_columns)
        });
        Some(Regions::new(regions.collect(), self.tokens()))
    }

    fn band(&self, position: usize, length: usize) -> u8 {
        u8::from(position >= length - self.side) + u8::from(position >= length - self.shift)
    }

    /// Rows and columns of the padded grid.
    fn padded(&self) -> (usize, usize) {
        let rows = self.rows.next_multiple_of(self.side);
        let columns = self.columns.next_multiple_of(self.side);
        (rows, columns)
    }

    /// Rows and columns in the padded and rolled grid of all tokens, window by window.
    fn cells(&self) -> impl Iterator<Item = (usize, usize)> {
        let (rows, columns) = self.padded();
        let side = self.side;
        let windows_across = columns / side;
        (0..rows * columns).map(move |place| {
            let (window, own) = (place / (side * side), place % (side * side));
            let row = window / windows_across * side + own / side;
            let column = window % windows_across * side + own % side;
            (row, column)
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::kernels::rearrange;
    use crate::model::init;
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, test};

    fn tokens(count: usize) -> Tensor<3> {
        let rng = &mut stream(1, Purpose::Init, 0, 0);
        init::uniform([2, count, 3], 1.0, &Device::flex(), rng).val()
    }

    #[test]
    fn reverse_undoes_partition() {
        for (grid, side, shift) in [
            ((8, 8), 4, 0),
            ((8, 8), 4, 2),
            ((6, 9), 4, 2),
            ((3, 3), 4, 2),
            ((5, 2), 7, 3),
        ] {
            let order = Windows::new(grid, side, shift).partition();
            let tokens = tokens(grid.0 * grid.1);
            let windows = rearrange(tokens.clone(), &order);
            let padded = grid.0.next_multiple_of(side) * grid.1.next_multiple_of(side);
            assert_eq!(windows.dims(), [2, padded, 3]);
            let back = rearrange(windows, &order.inverse());
            assert_eq!(
                max_difference(&back, &tokens),
                0.0,
                "{grid:?} {side} {shift}"
            );
        }
    }

    /// Padding, rolling and cutting into windows one after another, as the formula has them.
    #[test]
    fn partition_is_padding_rolling_and_cutting() {
        let (rows, columns, side, shift) = (6, 5, 4, 2);
        let tokens = tokens(rows * columns).narrow(2, 0, 1);
        let values: Vec<f32> = tokens
            .clone()
            .narrow(0, 0, 1)
            .try_into_vec_as()
            .expect("floats");
        let padded = |row: usize, column: usize| {
            if row < rows && column < columns {
                values[row * columns + column]
            } else {
                0.0
            }
        };
        let rolled = |row: usize, column: usize| padded((row + shift) % 8, (column + shift) % 8);
        let mut expected = Vec::new();
        for top in [0, 4] {
            for left in [0, 4] {
                for row in 0..side {
                    expected.extend((0..side).map(|column| rolled(top + row, left + column)));
                }
            }
        }
        let order = Windows::new((rows, columns), side, shift).partition();
        let actual = rearrange(tokens.narrow(0, 0, 1), &order);
        let actual: Vec<f32> = actual.try_into_vec_as().expect("floats");
        assert_eq!(actual, expected);
    }

    /// Two tokens belong together if they are as far from each other in the padded grid as in the
    /// window.
    #[test]
    fn regions_hold_what_was_beside_each_other() {
        for (grid, side, shift) in [((14, 14), 7, 3), ((8, 12), 4, 2), ((3, 3), 4, 2)] {
            let windows = Windows::new(grid, side, shift);
            let (rows, columns) = windows.padded();
            let regions = windows.regions().expect("a shift");
            let regions: Vec<u8> = regions.numbers().collect();
            let cells: Vec<(usize, usize)> = windows.cells().collect();
            let unrolled =
                |(row, column): (usize, usize)| ((row + shift) % rows, (column + shift) % columns);
            let tokens = windows.tokens();
            for first in 0..cells.len() {
                let window = first / tokens * tokens;
                for second in window..window + tokens {
                    let (a, b) = (unrolled(cells[first]), unrolled(cells[second]));
                    let far = |from: usize, to: usize| from as isize - to as isize;
                    let together = far(cells[first].0, cells[second].0) == far(a.0, b.0)
                        && far(cells[first].1, cells[second].1) == far(a.1, b.1);
                    assert_eq!(regions[first] == regions[second], together);
                }
            }
        }
    }

    #[test]
    fn the_last_window_of_a_shift_has_four_regions() {
        let regions = Windows::new((14, 14), 7, 3).regions().expect("a shift");
        let regions: Vec<u8> = regions.numbers().collect();
        let counts: Vec<usize> = regions
            .chunks(49)
            .map(|window| (0..9).filter(|region| window.contains(region)).count())
            .collect();
        assert_eq!(counts, [1, 2, 2, 4]);
    }
}
