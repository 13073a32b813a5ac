//! Lines and discs with smooth edges. Points are `(x, y)` in pixels; pixel `n` reaches from `n` to
//! `n + 1`.

use super::Page;

pub type Position = (f32, f32);

impl Page {
    /// A line with round ends.
    pub fn line(&mut self, from: Position, to: Position, width: f32, color: [u8; 3]) {
        let reach = width / 2.0;
        self.shape(&[from, to], reach, color, |point| {
            distance_to_line(point, from, to) - reach
        });
    }

    pub fn disc(&mut self, center: Position, radius: f32, color: [u8; 3]) {
        self.shape(&[center], radius, color, |point| {
            length(point, center) - radius
        });
    }

    /// Colors the pixels around `points` by `distance` from a shape's edge, negative inside.
    fn shape(
        &mut self,
        points: &[Position],
        reach: f32,
        color: [u8; 3],
        distance: impl Fn(Position) -> f32,
    ) {
        let reach = reach + 1.0;
        let span = |of: fn(&Position) -> f32, length: usize| {
            let low = points.iter().map(of).fold(f32::INFINITY, f32::min) - reach;
            let high = points.iter().map(of).fold(f32::NEG_INFINITY, f32::max) + reach;
            // As integers what is not a number or negative is 0, and what is too large the last
            // one.
            low as usize..(high.ceil() as usize).min(length)
        };
        for y in span(|point| point.1, self.image.height()) {
            for x in span(|point| point.0, self.image.width()) {
                // An edge shades one pixel.
                let cover = (0.5 - distance((x as f32 + 0.5, y as f32 + 0.5))).clamp(0.0, 1.0);
                if cover > 0.0 {
                    self.blend(x, y, color, cover);
                }
            }
        }
    }
}

fn length(a: Position, b: Position) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn distance_to_line(point: Position, from: Position, to: Position) -> f32 {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let along = (point.0 - from.0) * x + (point.1 - from.1) * y;
    // A line without length is a point.
    let share = (along / (x * x + y * y).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
    length(point, (from.0 + x * share, from.1 + y * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: [u8; 3] = [0; 3];

    /// How much ink is on the page, in pixels.
    fn ink(canvas: Page) -> f64 {
        canvas
            .into_image()
            .pixels()
            .chunks(3)
            .map(|pixel| 1.0 - f64::from(pixel[0]) / 255.0)
            .sum()
    }

    #[test]
    fn shapes_cover_their_area() {
        let drawn = |draw: fn(&mut Page)| {
            let mut canvas = Page::new(100, 100);
            draw(&mut canvas);
            ink(canvas)
        };
        let pi = std::f64::consts::PI;
        let disc = drawn(|canvas| canvas.disc((50.3, 49.8), 20.0, BLACK));
        assert!((disc / (pi * 400.0) - 1.0).abs() < 0.005, "{disc}");
        let line = drawn(|canvas| canvas.line((20.0, 20.0), (50.0, 60.0), 3.0, BLACK));
        assert!(
            (line / (50.0 * 3.0 + pi * 2.25) - 1.0).abs() < 0.02,
            "{line}"
        );
    }

    #[test]
    fn edges_are_smooth() {
        let mut canvas = Page::new(10, 10);
        canvas.line((0.0, 5.0), (10.0, 5.0), 3.0, BLACK);
        let column: Vec<u8> = (0..10).map(|y| canvas.image.pixel(5, y)[0]).collect();
        assert_eq!(column, [255, 255, 255, 128, 0, 0, 128, 255, 255, 255]);
    }

    #[test]
    fn any_point_is_taken() {
        let numbers = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            -3.0,
            0.0,
            7.0,
        ];
        let mut canvas = Page::new(9, 7);
        for a in numbers {
            for b in numbers {
                canvas.line((a, b), (b, a), a, BLACK);
                canvas.line((a, a), (a, a), b, BLACK);
                canvas.disc((a, b), a, BLACK);
            }
        }
    }
}
