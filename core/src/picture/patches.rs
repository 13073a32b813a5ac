//! Where the patches of an image lie.

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Columns left of it.
    pub left: usize,
    /// Rows above it.
    pub top: usize,
    /// Its columns.
    pub width: usize,
    /// Its rows.
    pub height: usize,
}

impl Rect {
    /// The point in its middle, `(x, y)`, where pixel `n` reaches from `n` to `n + 1`.
    pub fn center(&self) -> (f32, f32) {
        (
            self.left as f32 + self.width as f32 / 2.0,
            self.top as f32 + self.height as f32 / 2.0,
        )
    }

    /// The first column right of it.
    pub fn right(&self) -> usize {
        self.left.saturating_add(self.width)
    }

    /// The first row below it.
    pub fn bottom(&self) -> usize {
        self.top.saturating_add(self.height)
    }
}

/// The pixels of patch `(row, column)` when `(rows, columns)` patches divide an image of `(width,
/// height)` pixels evenly: row `r` covers `r * height / rows .. (r + 1) * height / rows`. With more
/// patches than pixels some are empty.
///
/// A patch outside of the grid is taken as the nearest one inside, and a grid without patches as
/// one patch.
pub fn patch_rect(
    (rows, columns): (usize, usize),
    (row, column): (usize, usize),
    (width, height): (usize, usize),
) -> Rect {
    let (top, bottom) = span(row, rows, height);
    let (left, right) = span(column, columns, width);
    Rect {
        left,
        top,
        width: right - left,
        height: bottom - top,
    }
}

/// The pixels of part `index` of `parts` parts of `length` pixels.
fn span(index: usize, parts: usize, length: usize) -> (usize, usize) {
    let parts = parts.max(1);
    let index = index.min(parts - 1);
    // In 128 bits no product of two lengths overflows.
    let edge = |index: usize| (index as u128 * length as u128 / parts as u128) as usize;
    (edge(index), edge(index + 1))
}

/// One value for each patch of an image, row by row.
#[derive(Debug, PartialEq)]
pub struct PatchGrid<'a, T> {
    rows: usize,
    columns: usize,
    cells: &'a [T],
}

// Derived, these would ask the same of `T`.
impl<T> Clone for PatchGrid<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PatchGrid<'_, T> {}

/// Values that do not make a grid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "a grid of {rows} x {columns} patches needs one value a patch and at least one patch, got {actual} values"
)]
pub struct PatchGridError {
    /// Rows of patches.
    pub rows: usize,
    /// Patches in a row.
    pub columns: usize,
    /// Values given.
    pub actual: usize,
}

impl<'a, T> PatchGrid<'a, T> {
    /// A grid of `rows * columns` values, row by row.
    ///
    /// # Errors
    /// If there are no values, or of another number.
    pub fn new(rows: usize, columns: usize, cells: &'a [T]) -> Result<Self, PatchGridError> {
        if cells.is_empty() || rows.checked_mul(columns) != Some(cells.len()) {
            return Err(PatchGridError {
                rows,
                columns,
                actual: cells.len(),
            });
        }
        Ok(Self {
            rows,
            columns,
            cells,
        })
    }

    /// Rows of patches.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Patches in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows, and patches in a row.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// All values, row by row.
    pub fn cells(&self) -> &'a [T] {
        self.cells
    }

    /// The index of the patch that pixel `(x, y)` of an image of `(width, height)` pixels belongs
    /// to; outside of the image, that of its nearest pixel.
    pub fn index_at(&self, (x, y): (usize, usize), (width, height): (usize, usize)) -> usize {
        part_at(y, self.rows, height) * self.columns + part_at(x, self.columns, width)
    }

    /// The value of the patch that pixel `(x, y)` of an image of `(width, height)` pixels belongs
    /// to.
    pub fn at(&self, pixel: (usize, usize), size: (usize, usize)) -> &'a T {
        &self.cells[self.index_at(pixel, size)]
    }
}

/// The last part that starts at or before pixel `position`: the inverse of [`span`].
fn part_at(position: usize, parts: usize, length: usize) -> usize {
    let length = length.max(1);
    // Both come from what lies in memory: their product is far from 64 bits.
    let (position, parts, length) = (position.min(length - 1) as u64, parts as u64, length as u64);
    (((position + 1) * parts - 1) / length) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn patches_cover_an_image_once_whatever_its_size() {
        for (parts, length) in [
            (1, 1),
            (3, 7),
            (7, 3),
            (14, 224),
            (5, 224),
            (224, 224),
            (1000, 1),
        ] {
            let mut next = 0;
            for index in 0..parts {
                let (from, to) = span(index, parts, length);
                assert_eq!(from, next);
                assert!((from..to).all(|position| part_at(position, parts, length) == index));
                next = to;
            }
            assert_eq!(next, length);
        }
        assert_eq!(
            patch_rect((2, 3), (1, 2), (10, 9)),
            Rect {
                left: 6,
                top: 4,
                width: 4,
                height: 5
            }
        );
        assert_eq!(
            patch_rect((2, 3), (9, 9), (10, 9)),
            patch_rect((2, 3), (1, 2), (10, 9))
        );
        assert_eq!(
            patch_rect((0, 0), (0, 0), (10, 9)),
            Rect {
                left: 0,
                top: 0,
                width: 10,
                height: 9
            }
        );
        assert_eq!(
            patch_rect((usize::MAX, usize::MAX), (usize::MAX, 0), (10, 9)).bottom(),
            9
        );
    }

    #[test]
    fn a_grid_holds_one_value_a_patch() {
        let cells = [1, 2, 3, 4, 5, 6];
        let grid = PatchGrid::new(2, 3, &cells).expect("six values");
        assert_eq!(*grid.at((4, 9), (9, 10)), 5);
        assert_eq!(*grid.at((99, 99), (9, 10)), 6);
        for (rows, columns) in [(0, 6), (2, 2), (7, 1), (usize::MAX, usize::MAX)] {
            let error = PatchGrid::new(rows, columns, &cells).expect_err("not six");
            assert_eq!(
                error,
                PatchGridError {
                    rows,
                    columns,
                    actual: 6
                }
            );
        }
        PatchGrid::<u8>::new(0, 0, &[]).expect_err("empty");
    }
}
