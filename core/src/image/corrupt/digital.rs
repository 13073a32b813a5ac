//! What digital processing does to images.

use super::color::{from_hsv, to_hsv};
use super::draws::Draws;
use super::filter::{Reach, gaussian_by_axis};
use super::kind::Severity;
use super::plane::{EdgeRule, Plane, join, split};
use crate::image::RgbImage;

/// Each channel drawn towards its mean.
pub fn contrast(image: &RgbImage, severity: Severity) -> RgbImage {
    let share = severity.of([0.4, 0.3, 0.2, 0.1, 0.05]);
    join(&split(image).map(|channel| {
        let mean = channel.values.iter().sum::<f64>() / channel.values.len() as f64;
        channel.map(|value| (value - mean) * share + mean)
    }))
}

pub fn saturate(image: &RgbImage, severity: Severity) -> RgbImage {
    let (times, more) = severity.of([(0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)]);
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [hue, saturation, value] = to_hsv(image.pixel(x, y));
        from_hsv([hue, (saturation * times + more).min(1.0), value])
    })
}

/// The quality of a JPEG.
pub fn jpeg_quality(severity: Severity) -> u8 {
    severity.of([25, 18, 15, 10, 7])
}

/// Fewer pixels, shown as large ones.
pub fn pixelate(image: &RgbImage, severity: Severity) -> RgbImage {
    let share = severity.of([0.6, 0.5, 0.4, 0.3, 0.25]);
    let (width, height) = (image.width(), image.height());
    let [columns, rows] = [width, height].map(|side| (side as f64 * share) as usize);

    // Pillow rounds after the rows and again after the columns.
    let narrow = RgbImage::from_fn(columns, height, |x, y| {
        mean(box_of(x, width, columns).map(|x| image.pixel(x, y)))
    });
    let small = RgbImage::from_fn(columns, rows, |x, y| {
        mean(box_of(y, height, rows).map(|y| narrow.pixel(x, y)))
    });

    let [from_x, from_y] =
        [(width, columns), (height, rows)].map(|(side, count)| sources(side, count));
    RgbImage::from_fn(width, height, |x, y| small.pixel(from_x[x], from_y[y]))
}

/// For each of `side` pixels the one of `count` that it shows.
fn sources(side: usize, count: usize) -> Vec<usize> {
    let step = count as f64 / side as f64;
    let mut place = step * 0.5;
    let mut sources = Vec::with_capacity(side);
    for _ in 0..side {
        sources.push(place as usize);
        // Added up as Pillow does: its rounding decides where two pixels meet.
        place += step;
    }
    sources
}

/// The pixels of a side whose middles lie in one of `count` equal parts.
fn box_of(part: usize, side: usize, count: usize) -> impl Iterator<Item = usize> {
    let scale = side as f64 / count as f64;
    let middle = (part as f64 + 0.5) * scale;
    (0..side).filter(move |at| {
        let place = (*at as f64 - middle + 0.5) / scale;
        -0.5 < place && place <= 0.5
    })
}

fn mean(colors: impl Iterator<Item = [u8; 3]>) -> [u8; 3] {
    let mut sum = [0usize; 3];
    let mut count = 0;
    for color in colors {
        for (sum, value) in sum.iter_mut().zip(color) {
            *sum += usize::from(value);
        }
        count += 1;
    }
    sum.map(|sum| (sum as f64 / count.max(1) as f64 + 0.5) as u8)
}

/// Pixels moved along smooth random ways.
pub fn elastic_transform(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let strength = 250.0 * severity.of([0.05, 0.065, 0.085, 0.1, 0.12]);
    let (width, height) = (image.width(), image.height());
    let sigma = [width, height].map(|side| 0.01 * side as f64);
    // The height counts for both directions, as in the benchmark's library.
    let most = 0.005 * height as f64;
    let reach = Reach {
        truncate: 3.0,
        edge: EdgeRule::Reflect,
    };

    let [across, down] = [(); 2].map(|()| {
        let rough = Plane::from_fn(width, height, |_, _| draws.between(-most, most));
        gaussian_by_axis(&rough, sigma, reach).map(|value| value * strength)
    });
    join(&split(image).map(|channel| {
        Plane::from_fn(width, height, |x, y| {
            let place = [x as f64 + across.at(x, y), y as f64 + down.at(x, y)];
            between_pixels(&channel, place)
        })
    }))
}

/// The value at a place between pixels, or beyond the edge.
fn between_pixels(plane: &Plane, [x, y]: [f64; 2]) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let at = |x: f64, y: f64| {
        let x = EdgeRule::Reflect.index(x as isize, plane.width);
        let y = EdgeRule::Reflect.index(y as isize, plane.height);
        plane.at(x, y)
    };
    let upper = at(left, top) * (1.0 - across) + at(left + 1.0, top) * across;
    let lower = at(left, top + 1.0) * (1.0 - across) + at(left + 1.0, top + 1.0) * across;
    upper * (1.0 - down) + lower * down
}
