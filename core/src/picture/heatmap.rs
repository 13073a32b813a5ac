//! Numbers of patches laid over their image as colors.

use fast_image_resize::pixels::F32;

use super::resize::{Interpolation, resample};
use crate::grid::{GridRef, GridShape, PatchGeometry};
use crate::image::RgbImage;
use ibot_color::{ColorScale, Range, mix};

/// How numbers become colors over an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heatmap {
    /// The values at the ends of the scale.
    pub range: Range,
    /// The colors in between.
    pub scale: ColorScale,
    /// What is seen between the centres of patches.
    pub interpolation: Interpolation,
    /// Opacity of the colors, 0 to 1.
    pub alpha: f32,
}

impl Heatmap {
    /// Lays `values` over `image`. Where a value is not a number the image stays as it is.
    pub fn draw(&self, image: &RgbImage, values: GridRef<f32>) -> RgbImage {
        let size = (image.width(), image.height());
        let geometry = PatchGeometry::stretched(values.shape(), size);
        let positions: Vec<Option<f32>> = values
            .cells()
            .iter()
            .map(|value| self.range.position(*value))
            .collect();
        let smooth = match self.interpolation {
            Interpolation::Nearest => None,
            Interpolation::Smooth => smooth(&positions, values.shape(), size),
        };

        RgbImage::from_fn(size.0, size.1, |x, y| {
            let Some(own) = positions[geometry.patch_of_pixel(x, y)] else {
                return image.pixel(x, y);
            };
            let position = match &smooth {
                Some(smooth) => smooth[y * size.0 + x].0,
                None => own,
            };
            mix(image.pixel(x, y), self.scale.color(position), self.alpha)
        })
    }
}

/// Numbers of patches at the size of the image, bicubic; `None` if a side does not fit 32 bits.
fn smooth(values: &[Option<f32>], shape: GridShape, size: (usize, usize)) -> Option<Vec<F32>> {
    // The filter reaches two patches far, so missing numbers are filled twice from around: they
    // leave no trace in the patches beside them.
    let filled: Vec<F32> = spread(&spread(values, shape), shape)
        .iter()
        .map(|value| F32::new(value.unwrap_or(0.0)))
        .collect();
    let from = (shape.columns, shape.rows);
    resample(&filled, from, size, Interpolation::Smooth)
}

/// The same numbers, with each missing one as the mean of its known neighbours.
fn spread(values: &[Option<f32>], shape: GridShape) -> Vec<Option<f32>> {
    let mut spread = values.to_vec();
    for (index, value) in spread.iter_mut().enumerate() {
        if value.is_none() {
            *value = mean_around(values, shape, index);
        }
    }
    spread
}

/// The mean of the known numbers among the eight neighbours of a cell.
fn mean_around(values: &[Option<f32>], shape: GridShape, index: usize) -> Option<f32> {
    let (row, column) = shape.position(index);
    let (mut sum, mut count) = (0.0, 0.0);
    for row in row.saturating_sub(1)..=(row + 1).min(shape.rows - 1) {
        for column in column.saturating_sub(1)..=(column + 1).min(shape.columns - 1) {
            if let Some(value) = values[row * shape.columns + column] {
                sum += value;
                count += 1.0;
            }
        }
    }
    (count > 0.0).then_some(sum / count)
}
