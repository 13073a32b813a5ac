//! The true place of a point of one image in another.

use crate::annotation::homography::{Homography, transform};
use crate::grid::{Grid, PatchGeometry};

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
pub struct DisparityMap(Grid<f32>);

impl DisparityMap {
    /// The disparities of a left image.
    pub fn new(pixels: Grid<f32>) -> Self {
        Self(pixels)
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.0.columns()
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.0.rows()
    }

    /// The disparity of the pixel at the point `(x, y)`.
    pub fn at(&self, x: f64, y: f64) -> Option<f32> {
        // Interpolation would invent depths between an object and what is behind it.
        // A pixel for each patch: the point's patch is its pixel.
        let pixels = PatchGeometry::stretched(self.0.shape(), (self.width(), self.height()));
        let pixel = pixels.patch_at(x, y).ok()?;
        Some(self.0.cells()[pixel]).filter(|value| value.is_finite() && *value > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn map() -> DisparityMap {
        let values = vec![1.0, 2.0, 0.0, -1.0, f32::INFINITY, f32::NAN];
        DisparityMap::new(Grid::new(2, 3, values).expect("3 x 2 values"))
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
        let narrow = DisparityMap::new(Grid::new(2, 1, vec![1.0, 2.0]).expect("1 x 2 values"));
        assert_eq!(narrow.at(0.5f64.next_down(), 0.0), Some(1.0));
    }

    #[test]
    fn a_homography_moves_points_too() {
        let truth = GroundTruth::Homography([0.5, 0.0, 1.0, 0.0, 0.5, 2.0, 0.0, 0.0, 1.0]);
        assert_eq!(truth.locate((8.0, 4.0)), Some((5.0, 4.0)));
    }
}
