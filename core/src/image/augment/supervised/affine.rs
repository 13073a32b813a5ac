//! Rotation, shearing and translation as Pillow's `transform` computes them with its bicubic filter.
//!
//! That filter has the parameter a = -1, unlike Pillow's filter for resizing, and cuts fractions off.

use crate::image::RgbImage;

/// What is shown outside of the image: ImageNet's mean color.
const FILL: [u8; 3] = [124, 116, 104];

/// Turns the image around its centre, counter-clockwise by `degrees`.
pub(super) fn rotate(image: &mut RgbImage, degrees: f64) {
    let center_x = image.width() as f64 / 2.0;
    let center_y = image.height() as f64 / 2.0;

    let angle = -degrees.rem_euclid(360.0).to_radians();
    let (sin, cos) = (rounded(angle.sin()), rounded(angle.cos()));
    let x = cos * -center_x + sin * -center_y;
    let y = -sin * -center_x + cos * -center_y;
    transform(image, [cos, sin, x + center_x, -sin, cos, y + center_y]);
}

/// Shows at (x, y) what was at (x + `factor` y, y).
pub(super) fn shear_x(image: &mut RgbImage, factor: f64) {
    transform(image, [1.0, factor, 0.0, 0.0, 1.0, 0.0]);
}

/// Shows at (x, y) what was at (x, y + `factor` x).
pub(super) fn shear_y(image: &mut RgbImage, factor: f64) {
    transform(image, [1.0, 0.0, 0.0, factor, 1.0, 0.0]);
}

/// Moves the image to the left by `share` of its width.
pub(super) fn translate_x(image: &mut RgbImage, share: f64) {
    let pixels = share * image.width() as f64;
    transform(image, [1.0, 0.0, pixels, 0.0, 1.0, 0.0]);
}

/// Moves the image up by `share` of its height.
pub(super) fn translate_y(image: &mut RgbImage, share: f64) {
    let pixels = share * image.height() as f64;
    transform(image, [1.0, 0.0, 0.0, 0.0, 1.0, pixels]);
}

/// To 15 decimals, as Pillow does, so that right angles are exact.
fn rounded(value: f64) -> f64 {
    (value * 1e15).round() / 1e15
}

/// Shows at (x, y) what was at (ax + by + c, dx + ey + f); pixels have their centres at halves.
fn transform(image: &mut RgbImage, [a, b, c, d, e, f]: [f64; 6]) {
    *image = RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
        sample(image, a * x + b * y + c, d * x + e * y + f).unwrap_or(FILL)
    });
}

/// The color at (`x`, `y`) from the 16 pixels around it; `None` outside of the image.
fn sample(image: &RgbImage, x: f64, y: f64) -> Option<[u8; 3]> {
    let (width, height) = (image.width(), image.height());
    if !(0.0..width as f64).contains(&x) || !(0.0..height as f64).contains(&y) {
        return None;
    }

    let (x, y) = (x - 0.5, y - 0.5);
    let columns = neighbours(x, width).map(|column| column * 3);
    let rows = neighbours(y, height).map(|row| &image.pixels()[row * width * 3..][..width * 3]);
    let (right, down) = (x - x.floor(), y - y.floor());

    Some(std::array::from_fn(|channel| {
        let along = rows.map(|row| {
            let values = columns.map(|column| f64::from(row[column + channel]));
            cubic(values, right)
        });
        // The conversion cuts off fractions and what lies outside of a byte.
        cubic(along, down) as u8
    }))
}

/// The four pixels around `at` on an axis of `length`; beyond an end, the last pixel.
fn neighbours(at: f64, length: usize) -> [usize; 4] {
    let first = at.floor() as isize - 1;
    [0, 1, 2, 3].map(|step| (first + step).clamp(0, length as isize - 1) as usize)
}

/// The value at `part` of the way from the second to the third of four. The order of operations is
/// Pillow's: another one gives 99.999 among pixels of 100, which is cut to 99.
#[inline]
fn cubic([v1, v2, v3, v4]: [f64; 4], part: f64) -> f64 {
    let p2 = -v1 + v3;
    let p3 = 2.0 * (v1 - v2) + v3 - v4;
    let p4 = -v1 + v2 - v3 + v4;
    v2 + part * (p2 + part * (p3 + part * p4))
}
