//! Paints pieces onto pixels: the object's place in the picture, anti-aliasing, outlines, noise.

use rand::RngExt;

use super::outlines::Point;
use super::palette::{Rgb, mix};
use super::pen::{Part, Piece};
use crate::image::RgbImage;
use crate::rng::Rng;

/// Where an object lies: maps its own coordinates (about `-1..=1`) to the unit square and back.
pub(super) struct Pose {
    center: Point,
    to_unit: [Point; 2],
    to_object: [Point; 2],
}

impl Pose {
    /// The pose of the scene's object: 70 to 95 % of the side, within the picture, tilted, flipped
    /// and stretched a bit.
    pub fn random(rng: &mut Rng) -> Self {
        let fill = rng.random_range(0.7..0.95);
        // As much room as the object leaves: none of it is cut off.
        let slack = (1.0_f32 - fill) / 2.0;
        let center = [(); 2].map(|()| 0.5 + rng.random_range(-slack..slack));
        let flip = if rng.random() { 1.0 } else { -1.0 };
        Self::new(
            center,
            fill / 2.0,
            rng.random_range(-0.26..0.26),
            flip * rng.random_range(0.86..1.16),
        )
    }

    pub fn random_small(rng: &mut Rng) -> Self {
        let center = [(); 2].map(|()| rng.random_range(0.0..1.0));
        let angle = rng.random_range(0.0..std::f32::consts::TAU);
        Self::new(
            center,
            rng.random_range(0.04..0.12),
            angle,
            rng.random_range(0.7..1.4),
        )
    }

    /// Widens by `stretch` (mirrors where negative), narrows the other side alike, turns by
    /// `angle`, scales, moves.
    fn new(center: Point, scale: f32, angle: f32, stretch: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        // The area stays, and with it how large the object looks.
        let (wide, high) = (scale * stretch, scale / stretch.abs());
        Self {
            center,
            to_unit: [[cos * wide, -sin * high], [sin * wide, cos * high]],
            to_object: [[cos / wide, sin / wide], [-sin / high, cos / high]],
        }
    }

    fn unit(&self, point: Point) -> Point {
        let [x, y] = apply(&self.to_unit, point);
        [x + self.center[0], y + self.center[1]]
    }

    fn object(&self, [x, y]: Point) -> Point {
        apply(&self.to_object, [x - self.center[0], y - self.center[1]])
    }

    /// How long one unit of object coordinates is in the picture, on average over directions.
    fn scale(&self) -> f32 {
        let [[a, b], [c, d]] = self.to_unit;
        (a * d - b * c).abs().sqrt()
    }
}

fn apply(matrix: &[Point; 2], [x, y]: Point) -> Point {
    [
        matrix[0][0] * x + matrix[0][1] * y,
        matrix[1][0] * x + matrix[1][1] * y,
    ]
}

/// How pieces are finished, the same for all of a scene.
pub(super) struct Finish {
    /// Brightness of a piece's outline, relative to its paint.
    outline: f32,
    /// Width of the outline in object coordinates.
    width: f32,
    /// How much lighter a piece is at the top than in the middle.
    shading: f32,
}

impl Finish {
    pub fn random(rng: &mut Rng) -> Self {
        Self {
            outline: rng.random_range(0.45..0.9),
            width: rng.random_range(0.03..0.06),
            shading: rng.random_range(0.0..0.16),
        }
    }
}

/// A square picture in the making, with the part seen at every pixel.
#[derive(Clone)]
pub(super) struct Painting {
    size: usize,
    colors: Vec<Rgb>,
    parts: Vec<u8>,
    /// Whether a piece covers some of the pixel.
    touched: Vec<bool>,
}

impl Painting {
    /// A picture of `size * size` pixels, filled by asking for the color at points of the unit
    /// square.
    pub fn new(size: usize, mut color: impl FnMut(Point) -> Rgb) -> Self {
        let at = |pixel: usize| (pixel as f32 + 0.5) / size as f32;
        let colors = (0..size * size)
            .map(|i| color([at(i % size), at(i / size)]))
            .collect();
        Self {
            size,
            colors,
            parts: vec![Part::Background as u8; size * size],
            touched: vec![false; size * size],
        }
    }

    pub fn paint(&mut self, piece: &Piece, pose: &Pose, finish: &Finish) {
        let size = self.size as f32;
        let pixels_per_unit = pose.scale() * size;
        let ([left, top], [right, bottom]) = piece.shape.bounds();
        let corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
            .map(|corner| pose.unit(corner));

        // Pixels are looked at up to one beyond the bounds: their coverage fades over the outline.
        let [columns, rows] = [0, 1].map(|i| {
            let low = corners.iter().map(|c| c[i]).fold(f32::MAX, f32::min) * size - 1.0;
            let high = corners.iter().map(|c| c[i]).fold(f32::MIN, f32::max) * size + 1.0;
            low.clamp(0.0, size) as usize..high.clamp(0.0, size) as usize
        });

        for y in rows {
            for x in columns.clone() {
                let point = pose.object([(x as f32 + 0.5) / size, (y as f32 + 0.5) / size]);
                let distance = piece.shape.distance(point);
                let coverage = (0.5 - distance * pixels_per_unit).clamp(0.0, 1.0);
                if coverage == 0.0 {
                    continue;
                }

                let edge = (0.5 + (distance + finish.width) * pixels_per_unit).clamp(0.0, 1.0);
                let light =
                    (1.0 - finish.shading * point[1]) * (1.0 + (finish.outline - 1.0) * edge);

                let at = y * self.size + x;
                self.touched[at] = true;
                self.colors[at] = mix(self.colors[at], piece.paint.map(|c| c * light), coverage);
                // The part that is seen in most of the pixel.
                if coverage >= 0.5 {
                    self.parts[at] = piece.part as u8;
                }
            }
        }
    }

    pub fn touched(self) -> Vec<bool> {
        self.touched
    }

    /// Adds mild noise to every pixel and gives the picture with its part labels.
    pub fn finish(self, rng: &mut Rng) -> (RgbImage, Vec<u8>) {
        let strength = rng.random_range(0.0..0.03_f32);
        let image = RgbImage::from_fn(self.size, self.size, |x, y| {
            let color = self.colors[y * self.size + x];
            let noise = rng.random::<u32>().to_le_bytes();
            [0, 1, 2].map(|i| {
                let noise = (f32::from(noise[i]) / 127.5 - 1.0) * strength;
                // The cast saturates, so that shading beyond white stays white.
                ((color[i] + noise) * 255.0 + 0.5) as u8
            })
        });
        (image, self.parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::test;

    #[test]
    fn poses_invert() {
        let pose = Pose::random(&mut stream(0, Purpose::Scene, 0, 0));
        let [x, y] = pose.object(pose.unit([0.3, -0.7]));
        assert!((x - 0.3).abs() < 1e-5 && (y + 0.7).abs() < 1e-5);
    }
}
