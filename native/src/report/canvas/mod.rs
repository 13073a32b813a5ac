//! What pictures are drawn on: rectangles and images here, lines and circles in [`shapes`], letters
//! in [`text`].
//!
//! Whatever lies outside of the canvas is left out.

pub mod shapes;
pub mod text;

use ibot_core::grid::Rect;
use ibot_core::image::RgbImage;
use ibot_core::picture::{Interpolation, mix, resize};

pub const PAPER: [u8; 3] = [255; 3];
/// Text.
pub const INK: [u8; 3] = [38, 42, 51];
/// Text that stands back.
pub const QUIET: [u8; 3] = [112, 118, 130];
/// Lines around images.
pub const FRAME: [u8; 3] = [205, 209, 216];
/// Where there is no image.
pub const EMPTY: [u8; 3] = [233, 235, 239];

/// An image being drawn.
#[derive(Clone, Debug)]
pub struct Page {
    image: RgbImage,
}

impl Page {
    /// An empty page. Sides below 1 are taken as 1.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            image: RgbImage::from_fn(width, height, |_, _| PAPER),
        }
    }

    pub fn into_image(self) -> RgbImage {
        self.image
    }

    /// Lays `color` with opacity `alpha` on one pixel.
    fn blend(&mut self, x: usize, y: usize, color: [u8; 3], alpha: f32) {
        if x < self.image.width() && y < self.image.height() {
            let mixed = mix(self.image.pixel(x, y), color, alpha);
            let at = (y * self.image.width() + x) * 3;
            self.image.pixels_mut()[at..at + 3].copy_from_slice(&mixed);
        }
    }

    /// Sets the pixels of `area`; `color` is asked with coordinates inside of it.
    pub fn paint(&mut self, area: Rect, color: impl Fn(usize, usize) -> [u8; 3]) {
        let (right, bottom) = (
            area.right().min(self.image.width()),
            area.bottom().min(self.image.height()),
        );
        let stride = self.image.width();
        for y in area.top..bottom {
            for x in area.left..right {
                let at = (y * stride + x) * 3;
                self.image.pixels_mut()[at..at + 3]
                    .copy_from_slice(&color(x - area.left, y - area.top));
            }
        }
    }

    pub fn fill(&mut self, area: Rect, color: [u8; 3]) {
        self.paint(area, |_, _| color);
    }

    /// Draws the inner border of `area`, `width` pixels wide.
    pub fn frame(&mut self, area: Rect, width: usize, color: [u8; 3]) {
        let top = Rect {
            height: width.min(area.height),
            ..area
        };
        let bottom = Rect {
            top: area.top + area.height - top.height,
            ..top
        };
        let left = Rect {
            width: width.min(area.width),
            ..area
        };
        let right = Rect {
            left: area.left + area.width - left.width,
            ..left
        };

        for side in [top, bottom, left, right] {
            self.fill(side, color);
        }
    }

    /// Draws `image` at its own size.
    pub fn image(&mut self, left: usize, top: usize, image: &RgbImage) {
        let area = Rect {
            left,
            top,
            width: image.width(),
            height: image.height(),
        };
        self.paint(area, |x, y| image.pixel(x, y));
    }

    /// Draws `image` as large as fits, in the middle of `area`. Returns where it lies.
    pub fn place(&mut self, area: Rect, image: &RgbImage, interpolation: Interpolation) -> Rect {
        let (width, height) = fit((image.width(), image.height()), (area.width, area.height));
        // What is less than a pixel high still gets one, beside the area if that has none.
        let place = Rect {
            left: area.left + area.width.saturating_sub(width) / 2,
            top: area.top + area.height.saturating_sub(height) / 2,
            width,
            height,
        };

        let resized = resize(image, width, height, interpolation);
        self.image(place.left, place.top, &resized);
        place
    }
}

/// The largest size with the aspect ratio of `size` that fits `room`; no side is below 1.
pub fn fit(size: (usize, usize), room: (usize, usize)) -> (usize, usize) {
    // In 128 bits no product of two sides overflows.
    let (width, height) = (size.0.max(1) as u128, size.1.max(1) as u128);
    let (room_width, room_height) = (room.0 as u128, room.1 as u128);
    let fitted = if width * room_height <= height * room_width {
        (width * room_height / height, room_height)
    } else {
        (room_width, height * room_width / width)
    };
    (fitted.0.max(1) as usize, fitted.1.max(1) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 3] = [200, 0, 0];

    fn count(canvas: &Page, color: [u8; 3]) -> usize {
        canvas
            .image
            .pixels()
            .chunks(3)
            .filter(|pixel| *pixel == color)
            .count()
    }

    #[test]
    fn rectangles_are_cut_at_the_border() {
        let mut canvas = Page::new(10, 8);
        canvas.fill(
            Rect {
                left: 7,
                top: 6,
                width: 9,
                height: 9,
            },
            RED,
        );
        assert_eq!(count(&canvas, RED), 3 * 2);
        canvas.fill(
            Rect {
                left: 99,
                top: 0,
                width: usize::MAX,
                height: usize::MAX,
            },
            RED,
        );
        assert_eq!(count(&canvas, RED), 3 * 2);
    }

    #[test]
    fn frames_lie_inside_of_their_area() {
        for (width, expected) in [(1, 2 * 6 + 2 * 3), (2, 30 - 2), (9, 30)] {
            let mut canvas = Page::new(20, 20);
            canvas.frame(
                Rect {
                    left: 3,
                    top: 4,
                    width: 6,
                    height: 5,
                },
                width,
                RED,
            );
            assert_eq!(count(&canvas, RED), expected);
            assert_eq!(
                (canvas.image.pixel(3, 4), canvas.image.pixel(8, 8)),
                (RED, RED)
            );
        }
    }

    #[test]
    fn images_fit_their_place() {
        let mut canvas = Page::new(40, 40);
        let image = RgbImage::from_fn(4, 2, |_, _| RED);
        let area = Rect {
            left: 5,
            top: 6,
            width: 20,
            height: 30,
        };
        let placed = canvas.place(area, &image, Interpolation::Nearest);
        assert_eq!(
            placed,
            Rect {
                left: 5,
                top: 16,
                width: 20,
                height: 10
            }
        );
        assert_eq!(count(&canvas, RED), 200);
        assert_eq!(fit((3, 3000), (100, 100)), (1, 100));
        assert_eq!(fit((0, 0), (0, 0)), (1, 1));
        assert_eq!(fit((usize::MAX, 1), (100, usize::MAX)), (100, 1));
    }
}
