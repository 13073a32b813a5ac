//! Where points of one image really are in another.

use crate::annotation::homography::{Homography, transform};

/// The true motion from a first image to a second. Coordinates are in pixels, `(0, 0)` the centre
/// of the first pixel.
#[derive(Clone, Debug, PartialEq)]
pub enum GroundTruth {
    /// A rectified stereo pair: the left image comes first, the right one second.
    Disparity(DisparityMap),
    /// A plane in two views, or two crops of one image.
    Homography(Homography),
}

impl GroundTruth {
    /// Where the point `(x, y)` of the first image is in the plane of the second, whether or not
    /// inside that image; `None` where that is not known.
    pub fn locate(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        match self {
            Self::Disparity(map) => map.at(x, y).map(|disparity| (x - f64::from(disparity), y)),
            Self::Homography(homography) => transform(homography, (x, y)),
        }
    }
}

/// For each pixel of the left image how far to the left it is in the right one, in pixels. What is
/// not finite or not above 0 is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct DisparityMap {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

/// Values that are not a disparity map.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a disparity map of {width} x {height} pixels cannot have {actual} values")]
pub struct DisparityError {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Values given.
    pub actual: usize,
}

impl DisparityMap {
    /// The disparities of a left image of `width` x `height` pixels, row by row from the top.
    ///
    /// # Errors
    /// If a side is zero or the values are of another number.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Result<Self, DisparityError> {
        if values.is_empty() || width.checked_mul(height) != Some(values.len()) {
            return Err(DisparityError {
                width,
                height,
                actual: values.len(),
            });
        }
        Ok(Self {
            width,
            height,
            values,
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The disparity of the pixel at the point `(x, y)`. Interpolation would invent depths between
    /// an object and what is behind it.
    pub fn at(&self, x: f64, y: f64) -> Option<f32> {
        let pixel = |at: f64, side: usize| {
            // Rounding may carry a point just inside the image to the next pixel.
            (-0.5..side as f64 - 0.5)
                .contains(&at)
                .then_some(((at + 0.5) as usize).min(side - 1))
        };
        let (column, row) = (pixel(x, self.width)?, pixel(y, self.height)?);
        Some(self.values[row * self.width + column])
            .filter(|value| value.is_finite() && *value > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn map() -> DisparityMap {
        DisparityMap::new(3, 2, vec![1.0, 2.0, 0.0, -1.0, f32::INFINITY, f32::NAN])
            .expect("3 x 2 values")
    }

    #[test]
    fn a_point_moves_left_by_the_disparity_of_its_pixel() {
        let truth = GroundTruth::Disparity(map());
        assert_eq!(truth.locate((1.0, 0.0)), Some((-1.0, 0.0)));
        assert_eq!(truth.locate((0.4, 0.3)), Some((-0.6, 0.3)));
        assert_eq!(
            truth.locate((0.5, 0.3)),
            Some((-1.5, 0.3)),
            "a half belongs to the next pixel"
        );
        assert_eq!(truth.locate((-0.5, -0.5)), Some((-1.5, -0.5)));
    }

    #[test]
    fn unknown_disparities_and_points_outside_have_no_truth() {
        let truth = GroundTruth::Disparity(map());
        for point in [
            (2.0, 0.0),
            (0.0, 1.0),
            (1.0, 1.0),
            (2.0, 1.0),
            (2.5, 0.0),
            (0.0, -0.6),
            (f64::NAN, 0.0),
        ] {
            assert_eq!(truth.locate(point), None, "{point:?}");
        }
    }

    #[test]
    fn the_last_point_of_a_row_is_not_in_the_next() {
        let narrow = DisparityMap::new(1, 2, vec![1.0, 2.0]).expect("1 x 2 values");
        assert_eq!(narrow.at(0.5f64.next_down(), 0.0), Some(1.0));
    }

    #[test]
    fn a_homography_moves_points_too() {
        let truth = GroundTruth::Homography([0.5, 0.0, 1.0, 0.0, 0.5, 2.0, 0.0, 0.0, 1.0]);
        assert_eq!(truth.locate((8.0, 4.0)), Some((5.0, 4.0)));
    }

    #[test]
    fn refuses_what_is_not_a_map() {
        assert_eq!(
            DisparityMap::new(3, 2, vec![1.0; 5]),
            Err(DisparityError {
                width: 3,
                height: 2,
                actual: 5
            })
        );
        assert!(DisparityMap::new(0, 0, vec![]).is_err());
    }
}
