//! Pillow's `ImageEnhance.Sharpness`.

use crate::image::RgbImage;
use crate::image::augment::color::blend;

/// Moves every pixel away from (`factor` above 1) or toward (below 1) the mean of its surroundings.
/// Pixels at the border stay.
pub(super) fn adjust(image: &mut RgbImage, factor: f32) {
    let source = image.clone();
    let (width, height) = (source.width(), source.height());
    let stride = width * 3;

    let before = source.pixels();
    let after = image.pixels_mut();
    for y in 1..height.saturating_sub(1) {
        let row = y * stride;
        for at in row + 3..(row + stride).saturating_sub(3) {
            after[at] = blend(smooth(before, at, stride), f32::from(before[at]), factor);
        }
    }
}

/// Pillow's filter `SMOOTH` of the value at `at`: its eight neighbours and five times itself,
/// divided by 13.
fn smooth(values: &[u8], at: usize, stride: usize) -> f32 {
    const NEIGHBOUR: f32 = 1.0 / 13.0;
    const CENTRE: f32 = 5.0 / 13.0;

    // Pillow's order of additions; another one rounds differently.
    let row = |at: usize, middle: f32| {
        let [left, center, right] = [at - 3, at, at + 3].map(|at| f32::from(values[at]));
        left * NEIGHBOUR + center * middle + right * NEIGHBOUR
    };
    let mut sum = 0.5;
    sum += row(at + stride, NEIGHBOUR);
    sum += row(at, CENTRE);
    sum += row(at - stride, NEIGHBOUR);
    sum.floor()
}
