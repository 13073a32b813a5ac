//! Drops of water or mud on the lens.

use super::draws::Draws;
use super::edges::{Gray, canny, distances};
use super::filter::gaussian;
use super::kind::Severity;
use super::plane::{EdgeRule, Plane, join, split};
use crate::image::RgbImage;

#[derive(Clone, Copy)]
struct Spatter {
    mean: f64,
    deviation: f64,
    sigma: f64,
    threshold: f64,
    liquid: Liquid,
}

#[derive(Clone, Copy)]
enum Liquid {
    /// With the strength of its color.
    Water(f64),
    Mud,
}

const WATER: [f64; 3] = [175.0, 238.0, 238.0];
const MUD: [f64; 3] = [63.0, 42.0, 20.0];
/// Standard deviation of the soft rim of mud.
const MUD_SIGMA: f64 = 1.5;
/// Less mud than this is not seen.
const LEAST_MUD: f64 = 0.8;
/// Distances to an edge beyond this are all alike.
const FARTHEST: f64 = 20.0;

pub fn spatter(image: &RgbImage, severity: Severity, draws: &mut impl Draws) -> RgbImage {
    let water = |sigma, threshold, strength| Spatter {
        mean: 0.65,
        deviation: 0.3,
        sigma,
        threshold,
        liquid: Liquid::Water(strength),
    };
    let mud = |mean, deviation| Spatter {
        mean,
        deviation,
        sigma: 1.0,
        threshold: 0.65,
        liquid: Liquid::Mud,
    };
    let spatter = severity.of([
        water(4.0, 0.69, 0.6),
        water(3.0, 0.68, 0.6),
        water(2.0, 0.68, 0.5),
        mud(0.65, 0.3),
        mud(0.67, 0.4),
    ]);

    let noise = Plane::from_fn(image.width(), image.height(), |_, _| {
        spatter.mean + spatter.deviation * draws.normal()
    });
    let layer = gaussian(&noise, spatter.sigma);
    let layer = layer.map(|value| {
        if value < spatter.threshold {
            0.0
        } else {
            value
        }
    });
    match spatter.liquid {
        Liquid::Water(strength) => {
            let drops = drops(&layer).map(|value| value * strength);
            blend(image, &drops, WATER, |own, drop, color| own + drop * color)
        }
        Liquid::Mud => {
            let threshold = spatter.threshold;
            let mud = gaussian(&layer.map(|value| f64::from(value > threshold)), MUD_SIGMA);
            let mud = mud.map(|value| if value < LEAST_MUD { 0.0 } else { value });
            blend(image, &mud, MUD, |own, mud, color| {
                own * (1.0 - mud) + mud * color
            })
        }
    }
}

fn blend(
    image: &RgbImage,
    layer: &Plane,
    color: [f64; 3],
    mix: impl Fn(f64, f64, f64) -> f64,
) -> RgbImage {
    let mut channels = split(image);
    for (channel, color) in channels.iter_mut().zip(color) {
        for (own, amount) in channel.values.iter_mut().zip(&layer.values) {
            *own = mix(*own, *amount, color / 255.0);
        }
    }
    join(&channels)
}

/// The light of drops of water, at most 1: bright at one side of their rims, dark at the other.
fn drops(layer: &Plane) -> Plane {
    let (width, height) = (layer.width, layer.height);
    let liquid: Vec<u8> = layer
        .values
        .iter()
        .map(|value| (value * 255.0) as u8)
        .collect();
    let gray = |values: Vec<u8>| Gray {
        width,
        height,
        values,
    };

    let edges = canny(&gray(liquid.clone()));
    let near = distances(&edges, width)
        .into_iter()
        .map(|way| way.min(FARTHEST));
    let near = Plane {
        width,
        height,
        values: near.collect(),
    };
    let smooth = Plane::from_fn(width, height, |x, y| {
        let mut sum = 0.0;
        for (x, y) in around(x, y) {
            sum += near.at(
                EdgeRule::Mirror.index(x, width),
                EdgeRule::Mirror.index(y, height),
            );
        }
        sum / 9.0
    });
    // A hair less than a whole number is that number in 32 bits.
    let smooth = smooth.values.iter().map(|value| *value as f32 as u8);
    let even = gray(equalised(smooth.collect()));

    let relief = Plane::from_fn(width, height, |x, y| {
        const KERNEL: [i32; 9] = [-2, -1, 0, -1, 1, 1, 0, 1, 2];
        let taps = around(x, y).zip(KERNEL);
        let sum: i32 = taps
            .map(|((x, y), weight)| weight * even.near(x, y, EdgeRule::Mirror))
            .sum();
        f64::from(sum.clamp(0, 255))
    });
    let relief = gray(relief.values.into_iter().map(|value| value as u8).collect());

    let light = Plane::from_fn(width, height, |x, y| {
        let sum: i32 = around(x, y)
            .map(|(x, y)| relief.near(x, y, EdgeRule::Mirror))
            .sum();
        let mean = (f64::from(sum) / 9.0).round();
        mean * f64::from(liquid[y * width + x])
    });
    let most = light.values.iter().copied().fold(0.0, f64::max);
    // Without a drop all is 0.
    light.map(|value| value / most.max(f64::MIN_POSITIVE))
}

/// The 3 x 3 places around a pixel, row by row.
fn around(x: usize, y: usize) -> impl Iterator<Item = (isize, isize)> {
    let (x, y) = (x as isize, y as isize);
    (-1..=1).flat_map(move |dy| (-1..=1).map(move |dx| (x + dx, y + dy)))
}

/// Values spread so that all are about as frequent.
fn equalised(values: Vec<u8>) -> Vec<u8> {
    let mut counts = [0usize; 256];
    for value in &values {
        counts[usize::from(*value)] += 1;
    }
    let least = values.iter().min().copied().unwrap_or_default();
    let above = values.len() - counts[usize::from(least)];
    if above == 0 {
        return values;
    }

    let scale = 255.0 / above as f32;
    let mut table = [0u8; 256];
    let mut sum = 0;
    for value in usize::from(least) + 1..256 {
        sum += counts[value];
        table[value] = (sum as f32 * scale).round_ties_even() as u8;
    }
    values
        .into_iter()
        .map(|value| table[usize::from(value)])
        .collect()
}
