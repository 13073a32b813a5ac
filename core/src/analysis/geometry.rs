//! Where patches lie in an image.

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
    rows: usize,
    columns: usize,
}

/// What has no place on a grid or an image.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum GeometryError {
    /// A side is zero.
    #[error(
        "{rows} x {columns} patches cannot cover an image of {width} x {height} pixels: no side may be zero"
    )]
    Empty {
        /// Pixels in a row.
        width: usize,
        /// Rows of pixels.
        height: usize,
        /// Rows of patches.
        rows: usize,
        /// Columns of patches.
        columns: usize,
    },
    /// A point is not on the image.
    #[error("point ({x}, {y}) is outside the image: x goes from 0 to {}, y from 0 to {}", .width - 1, .height - 1)]
    Outside {
        /// Column of the point, in pixels.
        x: f64,
        /// Row of the point, in pixels.
        y: f64,
        /// Pixels in a row.
        width: usize,
        /// Rows of pixels.
        height: usize,
    },
    /// There is not one value a patch.
    #[error("{rows} x {columns} patches need {} values, one each, not {actual}", .rows * .columns)]
    Values {
        /// Rows of patches.
        rows: usize,
        /// Columns of patches.
        columns: usize,
        /// Values given.
        actual: usize,
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
        Ok(Self {
            width,
            height,
            rows,
            columns,
        })
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
        self.rows * self.columns
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
        // Rounding may carry a point just inside the last patch to the far edge.
        let cell = |at: f64, side: usize, cells: usize| {
            (((at + 0.5) * cells as f64 / side as f64) as usize).min(cells - 1)
        };
        Ok(cell(y, self.height, self.rows) * self.columns + cell(x, self.width, self.columns))
    }

    /// The centre `(x, y)` of a patch, in pixels. Patches beyond the last have centres below the
    /// image.
    pub fn center(&self, patch: usize) -> (f64, f64) {
        let along = |cell: usize, side: usize, cells: usize| {
            (cell as f64 + 0.5) * side as f64 / cells as f64 - 0.5
        };
        (
            along(patch % self.columns, self.width, self.columns),
            along(patch / self.columns, self.height, self.rows),
        )
    }

    /// One value a pixel from one value a patch, without smoothing: each pixel takes the value of
    /// the patch on which its centre lies. For patches of whole pixels this is the
    /// nearest-neighbour enlargement of the official pictures.
    ///
    /// # Errors
    /// If there is not one value a patch.
    pub fn enlarge<T: Copy>(&self, values: &[T]) -> Result<Vec<T>, GeometryError> {
        if values.len() != self.count() {
            return Err(GeometryError::Values {
                rows: self.rows,
                columns: self.columns,
                actual: values.len(),
            });
        }
        let columns: Vec<usize> = (0..self.width)
            .map(|x| cell_of_pixel(x, self.width, self.columns))
            .collect();
        let mut pixels = Vec::with_capacity(self.width * self.height);
        for y in 0..self.height {
            let row =
                &values[cell_of_pixel(y, self.height, self.rows) * self.columns..][..self.columns];
            pixels.extend(columns.iter().map(|column| row[*column]));
        }
        Ok(pixels)
    }
}

/// The cell on which the centre of a pixel lies, `floor((pixel + 1/2) * cells / side)` in whole
/// numbers.
fn cell_of_pixel(pixel: usize, side: usize, cells: usize) -> usize {
    (2 * pixel + 1) * cells / (2 * side)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn geometry(width: usize, height: usize, rows: usize, columns: usize) -> PatchGeometry {
        PatchGeometry::new(width, height, rows, columns).expect("no side is zero")
    }

    #[test]
    fn patches_of_whole_pixels_have_the_centres_of_their_pixels() {
        let map = geometry(64, 32, 2, 4);
        assert_eq!(map.center(0), (7.5, 7.5), "the mean of the pixels 0..=15");
        assert_eq!(map.center(5), (23.5, 23.5));
        assert_eq!(map.patch_at(15.0, 15.0), Ok(0));
        assert_eq!(map.patch_at(16.0, 15.0), Ok(1));
        assert_eq!(map.patch_at(15.0, 16.0), Ok(4));
        assert_eq!(map.patch_at(63.4, 31.4), Ok(7));
    }

    #[test]
    fn a_patch_holds_its_own_centre_however_the_image_was_stretched() {
        for (width, height, rows, columns) in [
            (100, 37, 7, 9),
            (5, 3, 6, 10),
            (1, 1, 3, 3),
            (640, 427, 42, 64),
        ] {
            let map = geometry(width, height, rows, columns);
            for patch in 0..map.count() {
                let (x, y) = map.center(patch);
                assert_eq!(map.patch_at(x, y), Ok(patch));
            }
        }
    }

    #[test]
    fn points_outside_are_refused_with_the_bounds() {
        let map = geometry(64, 32, 2, 4);
        for (x, y) in [
            (64.0, 0.0),
            (0.0, 32.0),
            (-0.6, 0.0),
            (0.0, -1.0),
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
        ] {
            assert!(
                matches!(map.patch_at(x, y), Err(GeometryError::Outside { .. })),
                "({x}, {y})"
            );
        }
        let pixel = geometry(1, 1, 1, 1);
        assert_eq!(
            pixel.patch_at(0.5f64.next_down(), 0.0),
            Ok(0),
            "just inside, though adding 1/2 rounds to 1"
        );
        let message = map
            .patch_at(64.0, 0.0)
            .expect_err("x = 64 is one too far")
            .to_string();
        assert_eq!(
            message,
            "point (64, 0) is outside the image: x goes from 0 to 63, y from 0 to 31"
        );
        assert!(matches!(
            PatchGeometry::new(64, 32, 0, 4),
            Err(GeometryError::Empty { .. })
        ));
    }

    #[test]
    fn enlarging_repeats_whole_patches() {
        let map = geometry(4, 2, 1, 2);
        assert_eq!(map.enlarge(&[7, 9]), Ok(vec![7, 7, 9, 9, 7, 7, 9, 9]));
        assert_eq!(
            map.enlarge(&[7]),
            Err(GeometryError::Values {
                rows: 1,
                columns: 2,
                actual: 1
            })
        );
    }

    #[test]
    fn enlarging_agrees_with_the_patch_of_each_pixel() {
        let map = geometry(11, 7, 3, 4);
        let patches: Vec<usize> = (0..map.count()).collect();
        let expected: Vec<usize> = (0..77)
            .map(|at| {
                map.patch_at((at % 11) as f64, (at / 11) as f64)
                    .expect("a pixel is on its image")
            })
            .collect();
        assert_eq!(map.enlarge(&patches), Ok(expected));
    }
}
