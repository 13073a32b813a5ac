//! Boxes around objects.

/// A box in the pixels of an image. Pixel `n` reaches from `n` to `n + 1`, so that the whole image
/// is the box from 0, 0 to its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundingBox {
    /// Its left edge.
    pub left: f64,
    /// Its upper edge.
    pub top: f64,
    /// Its right edge.
    pub right: f64,
    /// Its lower edge.
    pub bottom: f64,
}

/// Why four numbers are no box of an image.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[error(
    "the box from ({}, {}) to ({}, {}) {problem}",
    .bounds.left, .bounds.top, .bounds.right, .bounds.bottom
)]
#[allow(missing_docs)]
pub struct BoxError {
    pub bounds: BoundingBox,
    pub problem: BoxProblem,
}

/// What is wrong with a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum BoxProblem {
    #[error("holds a number that is not finite")]
    NotFinite,
    #[error("has no area")]
    Empty,
    #[error("lies outside of its image of {width} x {height} pixels")]
    Outside { width: usize, height: usize },
}

impl BoundingBox {
    /// Pixels from left to right; negative if the edges are in the wrong order.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Pixels from top to bottom; negative if the edges are in the wrong order.
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Pixels inside; 0 if the edges are in the wrong order.
    pub fn area(&self) -> f64 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Intersection over union, from 0 to 1; 0 if neither box has an area.
    pub fn iou(&self, other: &Self) -> f64 {
        let common = self.intersection(other).area();
        let union = self.area() + other.area() - common;
        // Two boxes of no area would give 0 over 0.
        if union > 0.0 { common / union } else { 0.0 }
    }

    /// The part of the box that lies on an image of `width` x `height` pixels. Annotators draw over
    /// the edge of an image now and then.
    ///
    /// # Errors
    /// If a number is not finite, the box has no area, or nothing of it is on the image.
    pub fn on_image(self, (width, height): (usize, usize)) -> Result<Self, BoxError> {
        // The first problem that is found is the one to tell: a NaN has no area either.
        let whole = Self::of_image((width, height));
        let part = self.intersection(&whole);
        let edges = [self.left, self.top, self.right, self.bottom];
        let problem = if !edges.iter().all(|edge| edge.is_finite()) {
            BoxProblem::NotFinite
        } else if self.area() <= 0.0 {
            BoxProblem::Empty
        } else if part.area() <= 0.0 {
            BoxProblem::Outside { width, height }
        } else {
            return Ok(part);
        };
        Err(BoxError {
            bounds: self,
            problem,
        })
    }

    /// The box of a whole image of `width` x `height` pixels.
    pub fn of_image((width, height): (usize, usize)) -> Self {
        Self {
            left: 0.0,
            top: 0.0,
            right: width as f64,
            bottom: height as f64,
        }
    }

    /// The smallest box around those of `cells`, row by row in lines of `columns`, that are `true`;
    /// `None` if none is. A cell is a pixel.
    pub fn of_cells(cells: impl Iterator<Item = bool>, columns: usize) -> Option<Self> {
        let mut bounds: Option<Self> = None;
        for (cell, inside) in cells.enumerate() {
            if !inside {
                continue;
            }
            // `left` and `top` of a pixel are its number, `right` and `bottom` the next one.
            let (row, column) = ((cell / columns) as f64, (cell % columns) as f64);
            let own = Self {
                left: column,
                top: row,
                right: column + 1.0,
                bottom: row + 1.0,
            };
            bounds = Some(bounds.map_or(own, |bounds| bounds.around(&own)));
        }
        bounds
    }

    /// The smallest box around this one and another.
    pub fn around(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn bounds(left: f64, top: f64, right: f64, bottom: f64) -> BoundingBox {
        BoundingBox {
            left,
            top,
            right,
            bottom,
        }
    }

    #[test]
    fn iou_is_that_of_the_areas() {
        let a = bounds(0.0, 0.0, 4.0, 2.0);
        // 2 x 1 pixels in common, of 8 + 6 - 2.
        assert_eq!(a.iou(&bounds(2.0, 1.0, 5.0, 3.0)), 2.0 / 12.0);
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&bounds(0.0, 0.0, 4.0, 1.0)), 0.5);
        assert_eq!(a.iou(&bounds(4.0, 0.0, 6.0, 2.0)), 0.0);
        assert_eq!(a.iou(&bounds(5.0, 5.0, 3.0, 1.0)), 0.0);
        assert_eq!(
            a.around(&bounds(2.0, 1.0, 5.0, 3.0)),
            bounds(0.0, 0.0, 5.0, 3.0)
        );
        let point = bounds(1.0, 1.0, 1.0, 1.0);
        assert_eq!(point.iou(&point), 0.0);
    }

    #[test]
    fn boxes_end_with_their_image() {
        let over = bounds(-1.0, 2.5, 641.0, 480.5);
        let part = over.on_image((640, 480)).expect("a part is inside");
        assert_eq!(part, bounds(0.0, 2.5, 640.0, 480.0));

        let problem = |found: BoundingBox| found.on_image((8, 6)).expect_err("no box").problem;
        let outside = BoxProblem::Outside {
            width: 8,
            height: 6,
        };
        assert_eq!(problem(bounds(8.0, 0.0, 9.0, 3.0)), outside);
        assert_eq!(problem(bounds(1.0, 1.0, 1.0, 3.0)), BoxProblem::Empty);
        assert_eq!(problem(bounds(3.0, 1.0, 1.0, 3.0)), BoxProblem::Empty);
        let endless = bounds(0.0, 0.0, f64::INFINITY, 3.0);
        assert_eq!(problem(endless), BoxProblem::NotFinite);
        let message = bounds(8.0, 0.0, 9.5, 3.0)
            .on_image((8, 6))
            .expect_err("outside");
        assert_eq!(
            message.to_string(),
            "the box from (8, 0) to (9.5, 3) lies outside of its image of 8 x 6 pixels"
        );
    }
}
