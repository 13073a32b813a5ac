//! Values on a grid: labels of pixels, similarities of patches, masks.

/// Rows and columns of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridShape {
    /// Rows, from the top.
    pub rows: usize,
    /// Columns, from the left.
    pub columns: usize,
}

impl GridShape {
    /// Number of cells.
    pub fn count(self) -> usize {
        self.rows * self.columns
    }

    /// Row and column of cell `index`.
    pub fn position(self, index: usize) -> (usize, usize) {
        (index / self.columns, index % self.columns)
    }

    /// Whether cell `index` is in an outer row or column.
    pub fn is_border(self, index: usize) -> bool {
        let (row, column) = self.position(index);
        row == 0 || column == 0 || row + 1 == self.rows || column + 1 == self.columns
    }

    /// Checks that `actual` values are `depth` for each cell, and that there is at least one.
    pub fn check(self, depth: usize, actual: usize) -> Result<(), ShapeError> {
        // Sides may come from anywhere, and their product may overflow.
        let needed = self
            .rows
            .checked_mul(self.columns)
            .and_then(|cells| cells.checked_mul(depth));
        if actual > 0 && needed == Some(actual) {
            return Ok(());
        }
        Err(ShapeError {
            rows: self.rows,
            columns: self.columns,
            depth,
            actual,
        })
    }
}

/// Values that do not fill a grid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{actual} values do not fill a grid of {rows} x {columns} cells with {depth} values each")]
#[allow(missing_docs)]
pub struct ShapeError {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
    pub actual: usize,
}

/// One value for each cell of a grid, row by row; at least one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid<T> {
    shape: GridShape,
    cells: Vec<T>,
}

impl<T> Grid<T> {
    /// A grid of `rows * columns` values, row by row.
    ///
    /// # Errors
    /// If there are no values, or of another number.
    pub fn new(rows: usize, columns: usize, cells: Vec<T>) -> Result<Self, ShapeError> {
        let shape = GridShape { rows, columns };
        shape.check(1, cells.len())?;
        Ok(Self { shape, cells })
    }

    /// A grid whose cells are what `value` gives for their index. Sides below 1 are taken as 1.
    pub fn from_fn(rows: usize, columns: usize, value: impl FnMut(usize) -> T) -> Self {
        // A grid has a first cell, so that readers need no case for none.
        let shape = GridShape {
            rows: rows.max(1),
            columns: columns.max(1),
        };
        Self {
            shape,
            cells: (0..shape.count()).map(value).collect(),
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> GridShape {
        self.shape
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.shape.columns
    }

    /// All values, row by row.
    pub fn cells(&self) -> &[T] {
        &self.cells
    }

    /// The same grid, borrowed.
    pub fn view(&self) -> GridRef<'_, T> {
        GridRef {
            shape: self.shape,
            cells: &self.cells,
        }
    }
}

/// A borrowed [`Grid`].
#[derive(Debug, PartialEq)]
pub struct GridRef<'a, T> {
    shape: GridShape,
    cells: &'a [T],
}

// Derived, these would ask the same of `T`.
impl<T> Clone for GridRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for GridRef<'_, T> {}

impl<'a, T> GridRef<'a, T> {
    /// A grid of `rows * columns` values, row by row.
    ///
    /// # Errors
    /// If there are no values, or of another number.
    pub fn new(rows: usize, columns: usize, cells: &'a [T]) -> Result<Self, ShapeError> {
        let shape = GridShape { rows, columns };
        shape.check(1, cells.len())?;
        Ok(Self { shape, cells })
    }

    /// Rows and columns.
    pub fn shape(&self) -> GridShape {
        self.shape
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.shape.columns
    }

    /// All values, row by row.
    pub fn cells(&self) -> &'a [T] {
        self.cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_grid_holds_one_value_a_cell() {
        let cells = vec![1, 2, 3, 4, 5, 6];
        for (rows, columns) in [(0, 6), (2, 2), (7, 1), (usize::MAX, usize::MAX)] {
            let expected = ShapeError {
                rows,
                columns,
                depth: 1,
                actual: 6,
            };
            assert_eq!(Grid::new(rows, columns, cells.clone()), Err(expected));
            GridRef::new(rows, columns, &cells).expect_err("not six");
        }
        GridRef::<u8>::new(0, 0, &[]).expect_err("empty");

        let grid = Grid::new(2, 3, cells).expect("six values");
        assert_eq!(grid.shape().position(4), (1, 1));
        assert_eq!(grid, Grid::from_fn(2, 3, |index| index + 1));
        assert_eq!(grid.view().cells(), grid.cells());
    }

    #[test]
    fn the_border_is_the_outer_rows_and_columns() {
        let shape = GridShape {
            rows: 3,
            columns: 4,
        };
        let inner: Vec<usize> = (0..shape.count())
            .filter(|i| !shape.is_border(*i))
            .collect();
        assert_eq!(inner, [5, 6]);
    }
}
