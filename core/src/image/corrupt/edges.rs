//! Canny's edges and the distances to them, as OpenCV computes them.

use super::plane::EdgeRule;

/// An 8-bit gray picture, row-major.
#[derive(Clone, Debug)]
pub struct Gray {
    pub width: usize,
    pub height: usize,
    pub values: Vec<u8>,
}

impl Gray {
    /// A value; beyond the edge, what `edge` says.
    pub fn near(&self, x: isize, y: isize, edge: EdgeRule) -> i32 {
        let (x, y) = (edge.index(x, self.width), edge.index(y, self.height));
        i32::from(self.values[y * self.width + x])
    }
}

/// Gradients above this are edges if they touch a strong one.
const WEAK: i32 = 50;
/// Gradients above this are edges.
const STRONG: i32 = 150;

/// Whether each pixel is on an edge.
pub fn canny(gray: &Gray) -> Vec<bool> {
    let (width, height) = (gray.width, gray.height);
    let gradients = sobel(gray);
    let size = |x: isize, y: isize| {
        let inside = (0..width as isize).contains(&x) && (0..height as isize).contains(&y);
        if !inside {
            return 0;
        }
        let [dx, dy] = gradients[y as usize * width + x as usize];
        dx.abs() + dy.abs()
    };

    let mut peaks = vec![false; width * height];
    let mut edges = vec![false; width * height];
    let mut open = Vec::new();
    for y in 0..height as isize {
        for x in 0..width as isize {
            let place = y as usize * width + x as usize;
            let own = size(x, y);
            if own <= WEAK {
                continue;
            }

            let [dx, dy] = gradients[place];
            let (steep, flat) = (f64::from(dy.abs()), f64::from(dx.abs()));
            // Directions change at 22.5 and 67.5 degrees.
            let low = flat * f64::from(13573) / 32768.0;
            let is_peak = if steep < low {
                own > size(x - 1, y) && own >= size(x + 1, y)
            } else if steep > low + 2.0 * flat {
                own > size(x, y - 1) && own >= size(x, y + 1)
            } else {
                let side = if (dx ^ dy) < 0 { -1 } else { 1 };
                own > size(x - side, y - 1) && own > size(x + side, y + 1)
            };
            peaks[place] = is_peak;
            if is_peak && own > STRONG {
                edges[place] = true;
                open.push((x, y));
            }
        }
    }

    while let Some((x, y)) = open.pop() {
        for (nx, ny) in around(x, y) {
            let inside = (0..width as isize).contains(&nx) && (0..height as isize).contains(&ny);
            let place = ny as usize * width + nx as usize;
            if inside && peaks[place] && !edges[place] {
                edges[place] = true;
                open.push((nx, ny));
            }
        }
    }
    edges
}

fn around(x: isize, y: isize) -> impl Iterator<Item = (isize, isize)> {
    (-1..=1).flat_map(move |dy| (-1..=1).map(move |dx| (x + dx, y + dy)))
}

/// Gradients `[along x, along y]`.
fn sobel(gray: &Gray) -> Vec<[i32; 2]> {
    let mut gradients = Vec::with_capacity(gray.values.len());
    for y in 0..gray.height as isize {
        for x in 0..gray.width as isize {
            let at = |dx, dy| gray.near(x + dx, y + dy, EdgeRule::Nearest);
            let right = at(1, -1) + 2 * at(1, 0) + at(1, 1);
            let left = at(-1, -1) + 2 * at(-1, 0) + at(-1, 1);
            let below = at(-1, 1) + 2 * at(0, 1) + at(1, 1);
            let above = at(-1, -1) + 2 * at(0, -1) + at(1, -1);
            gradients.push([right - left, below - above]);
        }
    }
    gradients
}

/// Steps to pixels before, and their lengths times 2^16: those of OpenCV's 5 x 5 mask.
const STEPS: [(isize, isize, i64); 8] = [
    (-1, -2, LONG),
    (1, -2, LONG),
    (-2, -1, LONG),
    (-1, -1, DIAGONAL),
    (0, -1, STRAIGHT),
    (1, -1, DIAGONAL),
    (2, -1, LONG),
    (-1, 0, STRAIGHT),
];
const STRAIGHT: i64 = 1 << 16;
const DIAGONAL: i64 = 91750;
const LONG: i64 = 143976;
/// Longer than any way in an image.
const FAR: i64 = 1 << 40;

/// The distance of each pixel to the next edge; very large if there is none.
pub fn distances(edges: &[bool], width: usize) -> Vec<f64> {
    let height = edges.len() / width;
    let start = |edge: &bool| if *edge { 0 } else { FAR };
    let mut ways: Vec<i64> = edges.iter().map(start).collect();

    let places = 0..edges.len();
    for (direction, places) in [
        (1, places.clone().collect::<Vec<_>>()),
        (-1, places.rev().collect()),
    ] {
        for place in places {
            let (x, y) = ((place % width) as isize, (place / width) as isize);
            for (dx, dy, length) in STEPS {
                let (x, y) = (x + direction * dx, y + direction * dy);
                let inside = (0..width as isize).contains(&x) && (0..height as isize).contains(&y);
                if inside {
                    let way = ways[y as usize * width + x as usize] + length;
                    ways[place] = ways[place].min(way);
                }
            }
        }
    }
    ways.into_iter()
        .map(|way| way as f64 / STRAIGHT as f64)
        .collect()
}
