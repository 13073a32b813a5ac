//! Colors of patches as an image of their own.

use crate::grid::{GridRef, PatchGeometry};
use crate::image::RgbImage;

/// Colors of patches at the size of an image: three components (red, green, blue, 0 to 1) a patch,
/// as from a principal component analysis. Patches outside of `foreground`, and those with a
/// component that is not a number, become `background`.
pub fn rgb_map(
    (width, height): (usize, usize),
    colors: GridRef<[f32; 3]>,
    foreground: Option<GridRef<bool>>,
    background: [u8; 3],
) -> RgbImage {
    let size = (width.max(1), height.max(1));
    let geometry = PatchGeometry::stretched(colors.shape(), size);

    RgbImage::from_fn(size.0, size.1, |x, y| {
        let color = colors.cells()[geometry.patch_of_pixel(x, y)];
        let shown = foreground.is_none_or(|foreground| *foreground.at((x, y), size));
        if shown && !color.iter().any(|component| component.is_nan()) {
            color.map(byte)
        } else {
            background
        }
    })
}

fn byte(component: f32) -> u8 {
    // Components of an analysis may lie a little outside.
    (component.clamp(0.0, 1.0) * 255.0).round() as u8
}
