//! Filters of one channel, each with the edges that the benchmark's libraries use.

use super::plane::{EdgeRule, Plane};

/// How far a Gaussian reaches, and what it sees beyond the edges.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// In standard deviations.
    pub truncate: f64,
    pub edge: EdgeRule,
}

impl Reach {
    /// What scikit-image takes unless it is told otherwise.
    pub const USUAL: Self = Self {
        truncate: 4.0,
        edge: EdgeRule::Nearest,
    };
}

/// A Gaussian blur with standard deviation `sigma` in both directions.
pub fn gaussian(plane: &Plane, sigma: f64) -> Plane {
    gaussian_by_axis(plane, [sigma; 2], Reach::USUAL)
}

/// A Gaussian blur with the standard deviations `[along x, along y]`.
pub fn gaussian_by_axis(plane: &Plane, sigma: [f64; 2], reach: Reach) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let Reach { truncate, edge } = reach;

    let kernel = gaussian_kernel(sigma[1], truncate);
    let radius = (kernel.len() / 2) as isize;
    let columns = Plane::from_fn(width, height, |x, y| {
        let taps = (y as isize - radius..).zip(&kernel);
        taps.map(|(at, weight)| weight * plane.at(x, edge.index(at, height)))
            .sum()
    });

    let kernel = gaussian_kernel(sigma[0], truncate);
    let radius = (kernel.len() / 2) as isize;
    Plane::from_fn(width, height, |x, y| {
        let taps = (x as isize - radius..).zip(&kernel);
        taps.map(|(at, weight)| weight * columns.at(edge.index(at, width), y))
            .sum()
    })
}

fn gaussian_kernel(sigma: f64, truncate: f64) -> Vec<f64> {
    let radius = (truncate * sigma + 0.5) as i32;
    let weights = (-radius..=radius).map(|at| (-0.5 * f64::from(at * at) / (sigma * sigma)).exp());
    normalised(weights.collect())
}

fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

/// The correlation of a channel with a kernel of odd sides.
pub fn correlate(plane: &Plane, kernel: &Plane) -> Plane {
    let reach = [kernel.width / 2, kernel.height / 2].map(|reach| reach as isize);
    Plane::from_fn(plane.width, plane.height, |x, y| {
        let mut sum = 0.0;
        for (row, weights) in (0..).zip(kernel.values.chunks_exact(kernel.width)) {
            let y = EdgeRule::Mirror.index(y as isize + row - reach[1], plane.height);
            for (column, weight) in (0..).zip(weights) {
                if *weight != 0.0 {
                    let x = EdgeRule::Mirror.index(x as isize + column - reach[0], plane.width);
                    sum += weight * plane.at(x, y);
                }
            }
        }
        sum
    })
}

/// A disk of weights that sum to 1, its rim softened by a Gaussian of standard deviation `soft`.
pub fn disk(radius: usize, soft: f64) -> Plane {
    // A small disk lies in a field of a fixed size.
    let (reach, soft_reach) = if radius <= 8 { (8, 1) } else { (radius, 2) };
    let side = 2 * reach + 1;
    let hard = Plane::from_fn(side, side, |x, y| {
        let [x, y] = [x, y].map(|at| at.abs_diff(reach));
        f64::from(x * x + y * y <= radius * radius)
    });
    let sum: f64 = hard.values.iter().sum();

    let weight = |at: i32| (-0.5 * f64::from(at * at) / (soft * soft)).exp();
    let line = normalised((-soft_reach..=soft_reach).map(weight).collect());
    let softener = Plane::from_fn(line.len(), line.len(), |x, y| line[x] * line[y]);
    correlate(&hard.map(|value| value / sum), &softener)
}

/// A blur along a line from each pixel in the direction `angle` (degrees), with weights of half a
/// Gaussian.
pub fn motion(plane: &Plane, radius: usize, sigma: f64, angle: f64) -> Plane {
    let length = 2 * radius + 1;
    let weight = |at: usize| (-((at * at) as f64) / (2.0 * sigma * sigma)).exp();
    let weights = normalised((0..length).map(weight).collect());

    let (sin, cos) = angle.to_radians().sin_cos();
    let mut out = plane.map(|_| 0.0);
    for (at, weight) in weights.iter().enumerate() {
        let [dy, dx] = [sin, cos].map(|part| -(at as f64 * part - 0.5).ceil() as isize);
        if dy.unsigned_abs() >= plane.height || dx.unsigned_abs() >= plane.width {
            break;
        }
        for (place, value) in out.values.iter_mut().enumerate() {
            let (x, y) = (
                (place % plane.width) as isize,
                (place / plane.width) as isize,
            );
            let x = EdgeRule::Nearest.index(x - dx, plane.width);
            let y = EdgeRule::Nearest.index(y - dy, plane.height);
            *value += weight * plane.at(x, y);
        }
    }
    out
}

/// The middle of a channel enlarged by `factor`, at least as large as the channel.
pub fn zoomed(plane: &Plane, factor: f64) -> Plane {
    let x = ZoomedAxis::new(plane.width, factor);
    let y = ZoomedAxis::new(plane.height, factor);
    Plane::from_fn(x.length, y.length, |column, row| {
        let (left, right, across) = x.place(column);
        let (top, bottom, down) = y.place(row);
        let upper = plane.at(left, top) * (1.0 - across) + plane.at(right, top) * across;
        let lower = plane.at(left, bottom) * (1.0 - across) + plane.at(right, bottom) * across;
        upper * (1.0 - down) + lower * down
    })
}

struct ZoomedAxis {
    /// First pixel that is enlarged, and how many are.
    start: usize,
    taken: usize,
    /// Pixels of the result.
    length: usize,
}

impl ZoomedAxis {
    fn new(side: usize, factor: f64) -> Self {
        let taken = (side as f64 / factor).ceil() as usize;
        Self {
            start: (side - taken) / 2,
            taken,
            length: (taken as f64 * factor).round_ties_even() as usize,
        }
    }

    /// The two pixels that a pixel of the result lies between, and how far from the first.
    fn place(&self, at: usize) -> (usize, usize, f64) {
        let step = (self.taken - 1) as f64 / (self.length - 1).max(1) as f64;
        let place = at as f64 * step;
        let first = (place as usize).min(self.taken - 1);
        let second = (first + 1).min(self.taken - 1);
        (
            self.start + first,
            self.start + second,
            place - first as f64,
        )
    }
}
