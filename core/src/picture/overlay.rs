//! Values of patches laid over the image they belong to, at the image's own size.
//!
//! Patches divide the image evenly, see [`patch_rect`](super::patches::patch_rect). For fine
//! contours on a small image, enlarge the image first.

use fast_image_resize::pixels::F32;

use super::patches::PatchGrid;
use super::resize::{Interpolation, resample};
use crate::image::RgbImage;
use ibot_color::{ColorScale, Range, category, mix};

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
    pub fn draw(&self, image: &RgbImage, values: PatchGrid<f32>) -> RgbImage {
        let size = (image.width(), image.height());
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
            let Some(position) = positions[values.index_at((x, y), size)] else {
                return image.pixel(x, y);
            };
            let position = smooth
                .as_ref()
                .map_or(position, |smooth| smooth[y * size.0 + x].0);
            mix(image.pixel(x, y), self.scale.color(position), self.alpha)
        })
    }
}

/// Numbers of patches at the size of the image, bicubic. Missing ones leave no trace in the patches
/// around them.
fn smooth(values: &[Option<f32>], shape: (usize, usize), size: (usize, usize)) -> Option<Vec<F32>> {
    // The filter reaches two patches far.
    let filled: Vec<F32> = spread(&spread(values, shape), shape)
        .iter()
        .map(|value| F32::new(value.unwrap_or(0.0)))
        .collect();
    resample(&filled, (shape.1, shape.0), size, Interpolation::Smooth)
}

/// The same, but missing numbers take the mean of their neighbours.
fn spread(values: &[Option<f32>], (rows, columns): (usize, usize)) -> Vec<Option<f32>> {
    let around = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let across = column.saturating_sub(1)..=(column + 1).min(columns - 1);
        let down = row.saturating_sub(1)..=(row + 1).min(rows - 1);
        let known = down.flat_map(|row| {
            across
                .clone()
                .filter_map(move |column| values[row * columns + column])
        });
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        (count > 0.0).then_some(sum / count)
    };
    values
        .iter()
        .enumerate()
        .map(|(index, value)| value.or_else(|| around(index)))
        .collect()
}

/// How a label map is laid over an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labels {
    /// Opacity of the parts' colors, 0 to 1.
    pub alpha: f32,
    /// The label that stays without color, such as the background.
    pub unpainted: Option<usize>,
    /// The color of the lines between parts.
    pub boundary: [u8; 3],
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            alpha: 0.6,
            unpainted: None,
            boundary: [255; 3],
        }
    }
}

impl Labels {
    /// Colors each part by its label ([`category`]) and draws the boundaries between parts.
    pub fn draw(&self, image: &RgbImage, labels: PatchGrid<usize>) -> RgbImage {
        let size = (image.width(), image.height());
        let on_boundary = boundaries(size, |x, y| *labels.at((x, y), size));
        RgbImage::from_fn(size.0, size.1, |x, y| match *labels.at((x, y), size) {
            _ if on_boundary[y * size.0 + x] => self.boundary,
            label if Some(label) == self.unpainted => image.pixel(x, y),
            label => mix(image.pixel(x, y), category(label), self.alpha),
        })
    }
}

/// How a set of patches is shown on an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mask {
    /// The color of its contour and of the tint inside.
    pub color: [u8; 3],
    /// Opacity of the tint, 0 to 1.
    pub alpha: f32,
    /// How much darker the image gets outside, 0 to 1.
    pub shade: f32,
}

impl Mask {
    /// Tints the patches that are `true`, darkens the others and draws the contour between them.
    pub fn draw(&self, image: &RgbImage, mask: PatchGrid<bool>) -> RgbImage {
        let size = (image.width(), image.height());
        let on_contour = boundaries(size, |x, y| *mask.at((x, y), size));
        RgbImage::from_fn(size.0, size.1, |x, y| match *mask.at((x, y), size) {
            _ if on_contour[y * size.0 + x] => self.color,
            true => mix(image.pixel(x, y), self.color, self.alpha),
            false => mix(image.pixel(x, y), [0; 3], self.shade),
        })
    }
}

/// Colors of patches at the size of an image: three components (red, green, blue, 0 to 1) a patch,
/// as from a principal component analysis. Patches outside of `foreground`, and those with a
/// component that is not a number, become `background`.
pub fn rgb_map(
    (width, height): (usize, usize),
    colors: PatchGrid<[f32; 3]>,
    foreground: Option<PatchGrid<bool>>,
    interpolation: Interpolation,
    background: [u8; 3],
) -> RgbImage {
    let size = (width.max(1), height.max(1));
    let byte = |component: f32| (component.clamp(0.0, 1.0) * 255.0).round() as u8;
    let seen = |index: usize| {
        let color = colors.cells()[index];
        let (row, column) = (index / colors.columns(), index % colors.columns());
        // The middle of a patch tells what it belongs to if the two grids differ.
        let inside = |foreground: PatchGrid<bool>| {
            *foreground.at(
                (2 * column + 1, 2 * row + 1),
                (2 * colors.columns(), 2 * colors.rows()),
            )
        };
        (foreground.is_none_or(inside) && !color.iter().any(|component| component.is_nan()))
            .then_some(color)
    };
    let seen: Vec<Option<[f32; 3]>> = (0..colors.cells().len()).map(seen).collect();
    let channel = |channel: usize| {
        let values: Vec<Option<f32>> = seen
            .iter()
            .map(|color| color.map(|color| color[channel].clamp(0.0, 1.0)))
            .collect();
        smooth(&values, colors.shape(), size)
    };
    let planes = match interpolation {
        Interpolation::Nearest => None,
        Interpolation::Smooth => channel(0).zip(channel(1)).zip(channel(2)),
    };
    RgbImage::from_fn(size.0, size.1, |x, y| {
        match (seen[colors.index_at((x, y), size)], &planes) {
            (None, _) => background,
            (Some(color), None) => color.map(byte),
            (Some(_), Some(((red, green), blue))) => {
                [red, green, blue].map(|plane| byte(plane[y * size.0 + x].0))
            }
        }
    })
}

/// Width of the lines between parts of an image: about 1/300 of its shorter side, at least a pixel.
fn line_width((width, height): (usize, usize)) -> usize {
    (width.min(height) / 300).max(1)
}

/// Which pixels lie on a line between parts that differ. A line of width 1 runs on the left or
/// upper side, a wider one on both.
fn boundaries<T: PartialEq>(
    (width, height): (usize, usize),
    part: impl Fn(usize, usize) -> T,
) -> Vec<bool> {
    let wide = line_width((width, height));
    let (below, above) = (wide / 2, wide.div_ceil(2));
    let mut found = vec![false; width * height];
    for y in 0..height {
        for x in 0..width {
            // A step to the right or down where the part changes marks the pixels beside it.
            if x + 1 < width && part(x, y) != part(x + 1, y) {
                (x + 1 - above.min(x + 1)..(x + 1 + below).min(width))
                    .for_each(|x| found[y * width + x] = true);
            }
            if y + 1 < height && part(x, y) != part(x, y + 1) {
                (y + 1 - above.min(y + 1)..(y + 1 + below).min(height))
                    .for_each(|y| found[y * width + x] = true);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    const GREY: [u8; 3] = [100; 3];

    fn plain(width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width, height, |_, _| GREY)
    }

    fn heatmap(interpolation: Interpolation, alpha: f32) -> Heatmap {
        Heatmap {
            range: Range {
                low: 0.0,
                high: 1.0,
            },
            scale: ColorScale::Viridis,
            interpolation,
            alpha,
        }
    }

    #[test]
    fn a_patch_takes_its_color_over_its_pixels_and_no_others() {
        let values = PatchGrid::new(2, 3, &[0.0, 0.5, 1.0, f32::NAN, 1.0, 0.0]).expect("six");
        let drawn = heatmap(Interpolation::Nearest, 1.0).draw(&plain(7, 5), values);
        let color = |position: f32| ColorScale::Viridis.color(position);
        // Columns of 7 pixels in 3: 0..2, 2..4, 4..7. Rows of 5 pixels in 2: 0..2, 2..5.
        let expected = RgbImage::from_fn(7, 5, |x, y| match (x, y) {
            (0..2, 0..2) => color(0.0),
            (2..4, 0..2) => color(0.5),
            (4..7, 0..2) => color(1.0),
            (0..2, _) => GREY,
            (2..4, _) => color(1.0),
            _ => color(0.0),
        });
        assert_eq!(drawn, expected);
        let half = heatmap(Interpolation::Nearest, 0.5).draw(&plain(7, 5), values);
        assert_eq!(half.pixel(6, 0), mix(GREY, color(1.0), 0.5));
        assert_eq!(
            heatmap(Interpolation::Nearest, 0.0).draw(&plain(7, 5), values),
            plain(7, 5)
        );
    }

    #[test]
    fn smooth_values_rise_between_the_centres_of_patches() {
        let values = PatchGrid::new(1, 2, &[0.0, 1.0]).expect("two");
        let drawn = heatmap(Interpolation::Smooth, 1.0).draw(&plain(40, 4), values);
        assert_eq!(drawn.pixel(0, 0), ColorScale::Viridis.color(0.0));
        assert_eq!(drawn.pixel(39, 3), ColorScale::Viridis.color(1.0));
        let greens: Vec<u8> = (10..30).map(|x| drawn.pixel(x, 2)[1]).collect();
        assert!(
            greens.windows(2).all(|pair| pair[0] <= pair[1]),
            "{greens:?}"
        );
        assert!(
            greens[9] < ColorScale::Viridis.color(0.5)[1]
                && ColorScale::Viridis.color(0.5)[1] < greens[10]
        );
    }

    #[test]
    fn a_missing_value_leaves_no_trace_beside_it() {
        let values = PatchGrid::new(1, 3, &[1.0, f32::NAN, 1.0]).expect("three");
        let drawn = heatmap(Interpolation::Smooth, 1.0).draw(&plain(30, 6), values);
        let bright = ColorScale::Viridis.color(1.0);
        let expected = |x: usize| if (10..20).contains(&x) { GREY } else { bright };
        assert!((0..30).all(|x| drawn.pixel(x, 3) == expected(x)));
    }

    #[test]
    fn boundaries_lie_between_parts() {
        let labels = PatchGrid::new(2, 2, &[1, 2, 1, 9]).expect("four");
        let drawn = Labels {
            unpainted: Some(9),
            alpha: 1.0,
            ..Labels::default()
        }
        .draw(&plain(8, 8), labels);
        let expected = RgbImage::from_fn(8, 8, |x, y| match (x, y) {
            (3, _) | (4.., 3) => [255; 3],
            (0..3, _) => category(1),
            (4.., 0..3) => category(2),
            _ => GREY,
        });
        assert_eq!(drawn, expected);
    }

    #[test]
    fn lines_grow_with_the_image() {
        for (side, expected) in [(10, 4..5), (600, 299..301), (900, 448..451)] {
            let found = boundaries((side, side), |x, _| x < side / 2);
            let columns: Vec<usize> = (0..side).filter(|x| found[*x]).collect();
            assert_eq!(columns, expected.collect::<Vec<_>>());
        }
        assert!(boundaries((9, 9), |_, _| 0).iter().all(|found| !found));
    }

    #[test]
    fn a_mask_is_tinted_inside_and_shaded_outside() {
        let mask = PatchGrid::new(1, 2, &[true, false]).expect("two");
        let style = Mask {
            color: [200, 0, 0],
            alpha: 0.5,
            shade: 0.5,
        };
        let drawn = style.draw(&plain(8, 1), mask);
        let pixels: Vec<_> = (0..8).map(|x| drawn.pixel(x, 0)).collect();
        assert_eq!(
            pixels,
            [[[150, 50, 50]; 3].as_slice(), &[[200, 0, 0]], &[[50; 3]; 4]].concat()
        );
    }

    #[test]
    fn color_maps_keep_components_and_mask_the_background() {
        let colors = [
            [0.0, 0.5, 1.0],
            [1.0, 2.0, -1.0],
            [f32::NAN, 0.0, 0.0],
            [0.2; 3],
        ];
        let (colors, seen) = (
            PatchGrid::new(1, 4, &colors).expect("4"),
            [true, true, true, false],
        );
        let foreground = PatchGrid::new(1, 4, &seen).expect("4");
        let map = rgb_map(
            (8, 2),
            colors,
            Some(foreground),
            Interpolation::Nearest,
            GREY,
        );
        let pixels: Vec<_> = (0..8).step_by(2).map(|x| map.pixel(x, 1)).collect();
        assert_eq!(pixels, [[0, 128, 255], [255, 255, 0], GREY, GREY]);

        // What is left out does not shine through at the edges of what is seen.
        let colors = PatchGrid::new(1, 3, &[[0.2; 3], [1.0; 3], [1.0; 3]]).expect("3");
        let foreground = PatchGrid::new(1, 3, &[true, false, false]).expect("3");
        let map = rgb_map(
            (12, 1),
            colors,
            Some(foreground),
            Interpolation::Smooth,
            GREY,
        );
        assert_eq!(
            map,
            RgbImage::from_fn(12, 1, |x, _| if x < 4 { [51; 3] } else { GREY })
        );
    }

    #[test]
    fn any_image_and_grid_are_drawn() {
        let numbers = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            0.0,
        ];
        for (width, height) in [(1, 1), (1, 50), (50, 1), (3, 2)] {
            let image = plain(width, height);
            for (rows, columns) in [(1, 1), (1, 600), (600, 1), (20, 30), (2, 3)] {
                let values: Vec<f32> = (0..rows * columns)
                    .map(|index| numbers[index % 6])
                    .collect();
                let values = PatchGrid::new(rows, columns, &values).expect("counted");
                let labels: Vec<usize> = (0..rows * columns)
                    .map(|index| usize::MAX - index)
                    .collect();
                let seen: Vec<bool> = labels.iter().map(|label| label % 2 == 0).collect();
                let colors: Vec<[f32; 3]> = values
                    .cells()
                    .iter()
                    .map(|value| [*value, 1.0, 0.0])
                    .collect();
                for interpolation in [Interpolation::Nearest, Interpolation::Smooth] {
                    for range in [
                        Range::of(values.cells()),
                        Range {
                            low: f32::NAN,
                            high: 1.0,
                        },
                    ] {
                        Heatmap {
                            range,
                            ..heatmap(interpolation, f32::NAN)
                        }
                        .draw(&image, values);
                    }
                    let colors = PatchGrid::new(rows, columns, &colors).expect("counted");
                    let foreground = PatchGrid::new(1, 1, &seen[..1]).expect("one");
                    rgb_map(
                        (width, height),
                        colors,
                        Some(foreground),
                        interpolation,
                        GREY,
                    );
                }
                Labels::default().draw(
                    &image,
                    PatchGrid::new(rows, columns, &labels).expect("counted"),
                );
                let mask = Mask {
                    color: GREY,
                    alpha: 9.0,
                    shade: -1.0,
                };
                mask.draw(
                    &image,
                    PatchGrid::new(rows, columns, &seen).expect("counted"),
                );
            }
        }
    }
}
