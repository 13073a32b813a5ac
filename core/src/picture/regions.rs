//! Regions of patches laid over their image: label maps and masks, with lines where they meet.
//!
//! For fine lines on a small image, enlarge the image first.

use crate::grid::{GridRef, PatchGeometry};
use crate::image::RgbImage;
use ibot_color::{category, mix};

/// How a label map is laid over an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelOverlay {
    /// Opacity of the labels' colors, 0 to 1.
    pub alpha: f32,
    /// The label that stays without color, such as the background.
    pub unpainted: Option<usize>,
    /// The color of the lines between labels.
    pub boundary: [u8; 3],
}

impl Default for LabelOverlay {
    fn default() -> Self {
        Self {
            alpha: 0.6,
            unpainted: None,
            boundary: [255; 3],
        }
    }
}

impl LabelOverlay {
    /// Colors each region by its label ([`category`]) and draws the boundaries between regions.
    pub fn draw(&self, image: &RgbImage, labels: GridRef<usize>) -> RgbImage {
        let regions = PatchRegions::of(labels, image);
        let on_boundary = regions.boundaries();

        RgbImage::from_fn(regions.width, regions.height, |x, y| {
            let label = *regions.at(x, y);
            if on_boundary[y * regions.width + x] {
                self.boundary
            } else if Some(label) == self.unpainted {
                image.pixel(x, y)
            } else {
                mix(image.pixel(x, y), category(label), self.alpha)
            }
        })
    }
}

/// How a set of patches is shown on an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskOverlay {
    /// The color of its contour and of the tint inside.
    pub color: [u8; 3],
    /// Opacity of the tint, 0 to 1.
    pub alpha: f32,
    /// How much darker the image gets outside, 0 to 1.
    pub shade: f32,
}

impl MaskOverlay {
    /// Tints the patches that are `true`, darkens the others and draws the contour between them.
    pub fn draw(&self, image: &RgbImage, mask: GridRef<bool>) -> RgbImage {
        let regions = PatchRegions::of(mask, image);
        let on_contour = regions.boundaries();

        RgbImage::from_fn(regions.width, regions.height, |x, y| {
            if on_contour[y * regions.width + x] {
                self.color
            } else if *regions.at(x, y) {
                mix(image.pixel(x, y), self.color, self.alpha)
            } else {
                mix(image.pixel(x, y), [0; 3], self.shade)
            }
        })
    }
}

/// Values of patches at the size of an image.
struct PatchRegions<'a, T> {
    width: usize,
    height: usize,
    values: &'a [T],
    geometry: PatchGeometry,
}

impl<'a, T: PartialEq> PatchRegions<'a, T> {
    fn of(values: GridRef<'a, T>, image: &RgbImage) -> Self {
        let (width, height) = (image.width(), image.height());
        Self {
            width,
            height,
            values: values.cells(),
            geometry: PatchGeometry::stretched(values.shape(), (width, height)),
        }
    }

    fn at(&self, x: usize, y: usize) -> &'a T {
        &self.values[self.geometry.patch_of_pixel(x, y)]
    }

    /// Which pixels lie on a line between regions that differ.
    fn boundaries(&self) -> Vec<bool> {
        let wide = line_width(self.width, self.height);
        let (below, above) = (wide / 2, wide.div_ceil(2));
        let mut found = vec![false; self.width * self.height];

        // A step to the right or down where the value changes marks the pixels beside it: on the
        // left or upper side, by a wide line on both.
        for y in 0..self.height {
            for x in 0..self.width {
                if x + 1 < self.width && self.at(x, y) != self.at(x + 1, y) {
                    for x in x + 1 - above.min(x + 1)..(x + 1 + below).min(self.width) {
                        found[y * self.width + x] = true;
                    }
                }
                if y + 1 < self.height && self.at(x, y) != self.at(x, y + 1) {
                    for y in y + 1 - above.min(y + 1)..(y + 1 + below).min(self.height) {
                        found[y * self.width + x] = true;
                    }
                }
            }
        }
        found
    }
}

fn line_width(width: usize, height: usize) -> usize {
    // One pixel on a thumbnail, more on photographs, which are shown smaller than they are.
    (width.min(height) / 300).max(1)
}

#[cfg(test)]
pub(super) fn boundaries_of<T: PartialEq>(values: GridRef<T>, image: &RgbImage) -> Vec<bool> {
    PatchRegions::of(values, image).boundaries()
}
