//! A normalised image of any size, as a network takes it.

use super::RgbImage;
use super::normalize::{STD, normalize_by};
use super::taps::taps;

/// Three planes of numbers, red, green and blue, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl Planes {
    /// The image with ImageNet's mean and deviation taken out.
    pub fn of(image: &RgbImage) -> Self {
        Self::by(image, STD)
    }

    /// The image with ImageNet's mean taken out, divided by a deviation for each channel.
    pub fn by(image: &RgbImage, deviation: [f32; 3]) -> Self {
        let mut values = vec![0.0; image.pixels().len()];
        normalize_by(image, deviation, &mut values);
        Self {
            values,
            height: image.height(),
            width: image.width(),
        }
    }

    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// All numbers, `[3, height, width]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All numbers, `[3, height, width]`.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The planes scaled by `scale`, at least one pixel: PyTorch's bilinear `interpolate` with
    /// `scale_factor`, which looks at four pixels however much it shrinks.
    pub fn scaled(&self, scale: f64) -> Self {
        let rows = taps(self.height, scale);
        let columns = taps(self.width, scale);
        let mut values = Vec::with_capacity(3 * rows.len() * columns.len());
        for plane in self.values.chunks_exact(self.height * self.width) {
            for row in &rows {
                let upper = &plane[row.first * self.width..][..self.width];
                let lower = &plane[row.second * self.width..][..self.width];
                for column in &columns {
                    let above = column.mix(upper[column.first], upper[column.second]);
                    let below = column.mix(lower[column.first], lower[column.second]);
                    values.push(row.mix(above, below));
                }
            }
        }
        Self {
            values,
            height: rows.len(),
            width: columns.len(),
        }
    }

    /// The upper left part whose sides are whole multiples of `patch`, which is what a network sees
    /// of an image: its first layer drops the rest. An image smaller than a patch is enlarged to one.
    pub fn whole_patches(&self, patch: usize) -> Self {
        let least = self.height.min(self.width);
        if least < patch {
            // A little more than a patch, which rounding cannot take away.
            return self
                .scaled((patch as f64 + 0.01) / least as f64)
                .whole_patches(patch);
        }

        let height = self.height - self.height % patch;
        let width = self.width - self.width % patch;
        let mut values = Vec::with_capacity(3 * height * width);
        for plane in self.values.chunks_exact(self.height * self.width) {
            for row in plane.chunks_exact(self.width).take(height) {
                values.extend_from_slice(&row[..width]);
            }
        }
        Self {
            values,
            height,
            width,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixture::{Fixture, floats};
    use crate::testing::test;

    const FILE: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/eval/retrieval.safetensors"
    ));

    #[test]
    fn scaled_planes_are_those_of_torch() {
        let planes = Planes::of(&Fixture::images(FILE).get("source"));
        for (name, scale) in [("half", 0.5), ("root", 0.5f64.sqrt()), ("larger", 1.3)] {
            let expected = floats(FILE, name);
            let ours = planes.scaled(scale);
            assert_eq!(
                ours.values.len(),
                expected.len(),
                "{name}: {:?}",
                ours.size()
            );
            for (a, b) in ours.values.iter().zip(&expected) {
                assert!((a - b).abs() < 2e-5, "{name}: {a}, expected {b}");
            }
        }
    }

    #[test]
    fn a_network_sees_whole_patches() {
        let image = RgbImage::from_fn(11, 9, |x, y| [(20 * x) as u8, (20 * y) as u8, 7]);
        let planes = Planes::of(&image);
        let cut = planes.whole_patches(4);
        assert_eq!(cut.size(), (8, 8));
        assert_eq!(cut.values[8..16], planes.values[11..19]);

        assert_eq!(planes.whole_patches(9).size(), (9, 9));
        assert_eq!(planes.whole_patches(12).size(), (12, 12));
        let line = Planes::of(&RgbImage::from_fn(40, 1, |x, _| [x as u8; 3]));
        assert_eq!(line.whole_patches(4).size(), (4, 160));
    }
}
