//! Where the patches of a grid lie on an image: the one rule for scores, pictures and labels.
//!
//! A patch owns the pixels whose centres lie on it. Where patches are not whole pixels, some pixels
//! lie on two of them; the centre gives every pixel to the patch that covers most of it.

use std::ops::Range;

use super::cells::{GridRef, GridShape, ShapeError};

/// The patch grid of a network laid over an image: the whole image was resized to the network's
/// input, so the grid is stretched over all of it and every patch covers `width / columns` by
/// `height / rows` pixels.
///
/// Coordinates are those of OpenCV: pixel `(0, 0)` has its centre at `(0.0, 0.0)`, so an image
/// reaches from -0.5 to `width - 0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchGeometry {
    width: usize,
    height: usize,
    grid: GridShape,
}

/// Why a grid or a point has no place on an image.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)] // The messages name the fields.
pub enum GeometryError {
    #[error(
        "{rows} x {columns} patches cannot cover an image of {width} x {height} pixels: no side may be zero"
    )]
    Empty {
        width: usize,
        height: usize,
        rows: usize,
        columns: usize,
    },
    #[error("point ({x}, {y}) is outside the image: x goes from 0 to {}, y from 0 to {}", .width - 1, .height - 1)]
    Outside {
        x: f64,
        y: f64,
        width: usize,
        height: usize,
    },
}

impl PatchGeometry {
    /// `rows` x `columns` patches over an image of `width` x `height` pixels.
    ///
    /// # Errors
    /// If a side is zero.
    pub fn new(
        width: usize,
        height: usize,
        rows: usize,
        columns: usize,
    ) -> Result<Self, GeometryError> {
        if [width, height, rows, columns].contains(&0) {
            return Err(GeometryError::Empty {
                width,
                height,
                rows,
                columns,
            });
        }

        Ok(Self::stretched(
            GridShape { rows, columns },
            (width, height),
        ))
    }

    /// The patches of `grid` over an image of `(width, height)` pixels. Sides below 1 are taken as
    /// 1.
    pub fn stretched(grid: GridShape, (width, height): (usize, usize)) -> Self {
        // A side of 0 would divide by zero in all that follows.
        Self {
            width: width.max(1),
            height: height.max(1),
            grid: GridShape {
                rows: grid.rows.max(1),
                columns: grid.columns.max(1),
            },
        }
    }

    /// Pixels in a row of the image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of patches; never zero.
    pub fn count(&self) -> usize {
        self.grid.count()
    }

    /// Whether the point `(x, y)` lies on the image.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        let on = |at: f64, side: usize| (-0.5..side as f64 - 0.5).contains(&at);
        on(x, self.width) && on(y, self.height)
    }

    /// The patch (`row * columns + column`) on which the point `(x, y)` of the image lies.
    ///
    /// # Errors
    /// If the point is not on the image.
    pub fn patch_at(&self, x: f64, y: f64) -> Result<usize, GeometryError> {
        if !self.contains(x, y) {
            return Err(GeometryError::Outside {
                x,
                y,
                width: self.width,
                height: self.height,
            });
        }
        let row = cell_of_point(y, self.height, self.grid.rows);
        let column = cell_of_point(x, self.width, self.grid.columns);
        Ok(row * self.grid.columns + column)
    }

    /// The patch that owns pixel `(x, y)`: the one on which the pixel's centre lies. Outside of the
    /// image, the patch of the nearest pixel.
    pub fn patch_of_pixel(&self, x: usize, y: usize) -> usize {
        let row = cell_of_pixel(y.min(self.height - 1), self.height, self.grid.rows);
        let column = cell_of_pixel(x.min(self.width - 1), self.width, self.grid.columns);
        row * self.grid.columns + column
    }

    /// The pixels that the patch in this row and column owns; none if there are more patches than
    /// pixels and no centre lies on it. Outside of the grid, those of the nearest patch.
    pub fn pixels_of(&self, row: usize, column: usize) -> Rect {
        let rows = pixels_of_cell(row, self.height, self.grid.rows);
        let columns = pixels_of_cell(column, self.width, self.grid.columns);
        Rect {
            left: columns.start,
            top: rows.start,
            width: columns.len(),
            height: rows.len(),
        }
    }

    /// The centre `(x, y)` of a patch, in pixels. Patches beyond the last have centres below the
    /// image.
    pub fn center(&self, patch: usize) -> (f64, f64) {
        let (row, column) = self.grid.position(patch);
        (
            center_of_cell(column, self.width, self.grid.columns),
            center_of_cell(row, self.height, self.grid.rows),
        )
    }

    /// One value a pixel from one value a patch, without smoothing: each pixel takes the value of
    /// the patch that owns it. For patches of whole pixels this is the nearest-neighbour
    /// enlargement of the official pictures.
    ///
    /// # Errors
    /// If there is not one value a patch.
    pub fn enlarge<T: Copy>(&self, values: &[T]) -> Result<Vec<T>, ShapeError> {
        self.grid.check(1, values.len())?;
        let mut pixels = Vec::with_capacity(self.width * self.height);
        for y in 0..self.height {
            for x in 0..self.width {
                pixels.push(values[self.patch_of_pixel(x, y)]);
            }
        }
        Ok(pixels)
    }
}

impl<'a, T> GridRef<'a, T> {
    /// The value of the patch that owns pixel `(x, y)` of an image of `(width, height)` pixels.
    pub fn at(&self, (x, y): (usize, usize), size: (usize, usize)) -> &'a T {
        &self.cells()[PatchGeometry::stretched(self.shape(), size).patch_of_pixel(x, y)]
    }
}

/// The pixels that patch `(row, column)` owns when `(rows, columns)` patches are stretched over an
/// image of `(width, height)` pixels, as [`PatchGeometry::pixels_of`].
pub fn patch_rect(
    (rows, columns): (usize, usize),
    (row, column): (usize, usize),
    size: (usize, usize),
) -> Rect {
    PatchGeometry::stretched(GridShape { rows, columns }, size).pixels_of(row, column)
}

/// `floor((pixel + 1/2) * cells / side)`, in whole numbers.
fn cell_of_pixel(pixel: usize, side: usize, cells: usize) -> usize {
    // 32 bits of the browser do not hold the product of two lengths.
    let (pixel, side, cells) = (pixel as u64, side as u64, cells as u64);
    ((2 * pixel + 1) * cells / (2 * side)) as usize
}

fn pixels_of_cell(cell: usize, side: usize, cells: usize) -> Range<usize> {
    let cell = cell.min(cells - 1);
    first_pixel(cell, side, cells)..first_pixel(cell + 1, side, cells)
}

/// The first pixel whose centre is not before `cell`: the inverse of [`cell_of_pixel`].
fn first_pixel(cell: usize, side: usize, cells: usize) -> usize {
    // In 128 bits no product of two lengths overflows.
    let (cell, side, cells) = (cell as u128, side as u128, cells as u128);
    // The edge `cell * side / cells`, rounded with halves down.
    let (whole, rest) = (cell * side / cells, cell * side % cells);
    (whole + u128::from(2 * rest > cells)) as usize
}

/// The cell on which a coordinate lies that is on the image.
fn cell_of_point(at: f64, side: usize, cells: usize) -> usize {
    // Rounding may carry a point just inside the last cell to the far edge.
    (((at + 0.5) * cells as f64 / side as f64) as usize).min(cells - 1)
}

fn center_of_cell(cell: usize, side: usize, cells: usize) -> f64 {
    (cell as f64 + 0.5) * side as f64 / cells as f64 - 0.5
}

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

#[cfg(test)]
mod tests;
