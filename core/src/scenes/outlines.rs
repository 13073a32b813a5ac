//! Vector shapes as signed distances: negative inside, so that one number gives coverage, outline
//! and bounds.

/// A point or vector, `x` to the right and `y` down.
pub(super) type Point = [f32; 2];

#[derive(Clone, Debug)]
pub(super) enum Outline {
    /// An ellipse whose first axis points along `axis` (a unit vector).
    Ellipse {
        center: Point,
        radii: Point,
        axis: Point,
    },
    /// Corners in order, grown by a radius that also rounds them.
    Polygon {
        corners: Vec<Point>,
        round: f32,
    },
    Capsule {
        from: Point,
        to: Point,
        radius: f32,
    },
}

impl Outline {
    pub fn ellipse(center: Point, radii: Point) -> Self {
        Self::Ellipse {
            center,
            radii,
            axis: [1.0, 0.0],
        }
    }

    pub fn disc(center: Point, radius: f32) -> Self {
        Self::ellipse(center, [radius, radius])
    }

    /// An ellipse that grows out of `root` at `angle` (radians, clockwise from the right): a petal,
    /// leaf or wing.
    pub fn blade(root: Point, angle: f32, length: f32, width: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        let center = [root[0] + cos * length / 2.0, root[1] + sin * length / 2.0];
        Self::Ellipse {
            center,
            radii: [length / 2.0, width / 2.0],
            axis: [cos, sin],
        }
    }

    /// A polygon with slightly softened corners.
    pub fn polygon(corners: impl Into<Vec<Point>>) -> Self {
        Self::Polygon {
            corners: corners.into(),
            round: 0.02,
        }
    }

    /// A box from its centre and half its sides, with rounded corners.
    pub fn block([x, y]: Point, half: Point, round: f32) -> Self {
        // The rounding grows the box back to its sides.
        let [w, h] = half.map(|side| (side - round).max(0.0));
        Self::Polygon {
            corners: vec![
                [x - w, y - h],
                [x + w, y - h],
                [x + w, y + h],
                [x - w, y + h],
            ],
            round,
        }
    }

    /// The part of an ellipse between two angles (in turns, clockwise from the right), closed by a
    /// straight line.
    pub fn segment(center: Point, radii: Point, turns: std::ops::Range<f32>) -> Self {
        const STEPS: u8 = 14;
        let corners: Vec<Point> = (0..=STEPS)
            .map(|step| {
                let turn =
                    turns.start + (turns.end - turns.start) * f32::from(step) / f32::from(STEPS);
                let (sin, cos) = (turn * std::f32::consts::TAU).sin_cos();
                [center[0] + radii[0] * cos, center[1] + radii[1] * sin]
            })
            .collect();
        Self::polygon(corners)
    }

    pub fn line(from: Point, to: Point, radius: f32) -> Self {
        Self::Capsule { from, to, radius }
    }

    /// Signed distance of a point to the outline (for ellipses a close estimate), negative inside.
    pub fn distance(&self, point: Point) -> f32 {
        match self {
            Self::Ellipse {
                center,
                radii,
                axis,
            } => {
                let [x, y] = sub(point, *center);
                let along_axis = x * axis[0] + y * axis[1];
                let across_axis = y * axis[0] - x * axis[1];
                ellipse_distance([along_axis, across_axis], *radii)
            }
            Self::Polygon { corners, round } => polygon_distance(corners, point) - round,
            Self::Capsule { from, to, radius } => {
                square_to_segment(point, *from, *to).sqrt() - radius
            }
        }
    }

    /// The corners `(least, greatest)` of an upright box that holds the shape.
    pub fn bounds(&self) -> (Point, Point) {
        match self {
            Self::Ellipse {
                center,
                radii,
                axis,
            } => {
                let x = length([radii[0] * axis[0], radii[1] * axis[1]]);
                let y = length([radii[0] * axis[1], radii[1] * axis[0]]);
                (
                    [center[0] - x, center[1] - y],
                    [center[0] + x, center[1] + y],
                )
            }
            Self::Polygon { corners, round } => bounds_of(corners, *round),
            Self::Capsule { from, to, radius } => bounds_of(&[*from, *to], *radius),
        }
    }
}

fn ellipse_distance(point: Point, radii: Point) -> f32 {
    // The value function over the length of its gradient, which is exact on the outline.
    let scaled = [point[0] / radii[0], point[1] / radii[1]];
    let steepness = length([scaled[0] / radii[0], scaled[1] / radii[1]]);
    let k = length(scaled);

    // At the very centre both vanish; any point that deep only has to count as inside.
    if steepness > 1e-6 {
        k * (k - 1.0) / steepness
    } else {
        -radii[0].min(radii[1])
    }
}

fn bounds_of(points: &[Point], grow: f32) -> (Point, Point) {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for point in points {
        for i in 0..2 {
            low[i] = low[i].min(point[i] - grow);
            high[i] = high[i].max(point[i] + grow);
        }
    }
    (low, high)
}

fn sub(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

fn length([x, y]: Point) -> f32 {
    (x * x + y * y).sqrt()
}

fn square_to_segment(point: Point, from: Point, to: Point) -> f32 {
    let (along, offset) = (sub(to, from), sub(point, from));
    // Ends may be one point.
    let square = along[0] * along[0] + along[1] * along[1];
    let t = ((offset[0] * along[0] + offset[1] * along[1]) / square.max(1e-12)).clamp(0.0, 1.0);
    let [x, y] = [offset[0] - along[0] * t, offset[1] - along[1] * t];
    x * x + y * y
}

/// Distance to the nearest edge, signed by how often a ray from the point crosses the outline.
fn polygon_distance(corners: &[Point], point: Point) -> f32 {
    let mut nearest = f32::MAX;
    let mut inside = false;
    let previous = corners.iter().cycle().skip(corners.len().saturating_sub(1));
    for (&from, &to) in previous.zip(corners) {
        nearest = nearest.min(square_to_segment(point, from, to));
        if (from[1] > point[1]) != (to[1] > point[1]) {
            let crossing = from[0] + (point[1] - from[1]) / (to[1] - from[1]) * (to[0] - from[0]);
            inside ^= point[0] < crossing;
        }
    }
    if inside {
        -nearest.sqrt()
    } else {
        nearest.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn distances_are_signed() {
        let close = |shape: &Outline, point: Point, expected: f32| {
            let distance = shape.distance(point);
            assert!(
                (distance - expected).abs() < 1e-4,
                "{shape:?} at {point:?}: {distance}, not {expected}"
            );
        };
        let disc = Outline::disc([1.0, 1.0], 0.5);
        close(&disc, [1.0, 2.0], 0.5);
        close(&disc, [1.2, 1.0], -0.3);
        close(&disc, [1.0, 1.0], -0.5);
        let block = Outline::block([0.0, 0.0], [1.0, 0.5], 0.1);
        close(&block, [2.0, 0.0], 1.0);
        close(&block, [0.0, 0.3], -0.2);
        close(
            &Outline::line([0.0, 0.0], [1.0, 0.0], 0.25),
            [1.0, 1.0],
            0.75,
        );
    }

    #[test]
    fn bounds_hold_the_inside() {
        let shapes = [
            Outline::blade([0.1, -0.2], 0.7, 1.2, 0.4),
            Outline::polygon([[-0.5, 0.0], [0.6, -0.7], [0.2, 0.8]]),
            Outline::segment([0.0, 0.2], [0.9, 0.5], 0.5..1.0),
            Outline::line([-0.4, 0.4], [0.3, -0.1], 0.2),
        ];
        for shape in shapes {
            let (low, high) = shape.bounds();
            for i in 0..400 {
                let point = [(i % 20) as f32 / 8.0 - 1.2, (i / 20) as f32 / 8.0 - 1.2];
                if shape.distance(point) < 0.0 {
                    assert!(
                        (0..2).all(|i| low[i] <= point[i] && point[i] <= high[i]),
                        "{shape:?} at {point:?}"
                    );
                }
            }
        }
    }
}
