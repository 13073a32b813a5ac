//! RandomErasing: a rectangle of a normalised view becomes noise.

use crate::image::resize::{CropBox, round_even};

/// A rectangle and the noise that replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct Erasure {
    /// The rectangle, inside the view.
    pub area: CropBox,
    /// Normal random numbers, `[3, area.height, area.width]`.
    pub noise: Vec<f32>,
}

impl Erasure {
    /// Replaces the rectangle in three planes of `size` x `size` values.
    pub fn apply(&self, planes: &mut [f32], size: usize) {
        let CropBox {
            left,
            top,
            width,
            height,
        } = self.area;
        let pixels = width * height;
        if pixels == 0 {
            return;
        }

        let planes = planes.chunks_exact_mut(size * size);
        for (plane, noise) in planes.zip(self.noise.chunks_exact(pixels)) {
            let rows = plane.chunks_exact_mut(size).skip(top);
            for (row, noise) in rows.zip(noise.chunks_exact(width)) {
                row[left..left + width].copy_from_slice(noise);
            }
        }
    }
}

/// Height and width of a rectangle with `area` of a view of `size` x `size` pixels and a
/// height-to-width ratio of `ratio`. `None` if a side is not shorter than the view's.
pub(super) fn rectangle(size: usize, area: f64, ratio: f64) -> Option<[usize; 2]> {
    let pixels = area * (size * size) as f64;
    let height = round_even((pixels * ratio).sqrt());
    let width = round_even((pixels / ratio).sqrt());

    let fits = |side: f64| (0.0..size as f64).contains(&side);
    (fits(height) && fits(width)).then_some([height as usize, width as usize])
}
