//! What lies behind the object: one of five quiet patterns, the same at any resolution.

use rand::RngExt;

use super::palette::{Rgb, mix};
use super::shapes::Point;
use crate::rng::Rng;

/// Lattice points on a side of the soft-noise pattern.
const LATTICE: usize = 7;
/// How steeply stripes and checks turn from one tone to the other.
const SHARPNESS: f32 = 4.0;

/// A pattern of two tones over the unit square.
pub(super) struct Background {
    tones: [Rgb; 2],
    pattern: Pattern,
    /// Direction of the pattern times its frequency.
    wave: Point,
    phase: f32,
}

enum Pattern {
    Flat,
    Gradient,
    Stripes,
    Checker,
    Noise([[f32; LATTICE]; LATTICE]),
}

impl Background {
    /// Draws a pattern of the tones.
    pub fn random(rng: &mut Rng, tones: [Rgb; 2]) -> Self {
        let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
        let (pattern, frequency) = match rng.random_range(0..5) {
            0 => (Pattern::Flat, 0.0),
            1 => (Pattern::Gradient, rng.random_range(0.7..1.1)),
            2 => (Pattern::Stripes, rng.random_range(2.5..7.0)),
            3 => (Pattern::Checker, rng.random_range(1.5..4.0)),
            _ => (Pattern::Noise([(); LATTICE].map(|()| [(); LATTICE].map(|()| rng.random()))), 0.0),
        };
        Self { tones, pattern, wave: [cos * frequency, sin * frequency], phase: rng.random() }
    }

    /// The colour at a point of the unit square.
    pub fn color(&self, [x, y]: Point) -> Rgb {
        let along = x * self.wave[0] + y * self.wave[1] + self.phase;
        let share = match &self.pattern {
            Pattern::Flat => 0.0,
            Pattern::Gradient => 0.5 + (x - 0.5) * self.wave[0] + (y - 0.5) * self.wave[1],
            Pattern::Stripes => 0.5 + SHARPNESS * triangle(along),
            Pattern::Checker => {
                let across = y * self.wave[0] - x * self.wave[1] + self.phase;
                0.5 + SHARPNESS * triangle(along) * triangle(across)
            }
            Pattern::Noise(lattice) => soft_noise(lattice, [x, y]),
        };
        mix(self.tones[0], self.tones[1], share.clamp(0.0, 1.0))
    }
}

/// A wave of period 1 between -1 and 1 made of straight lines: unlike a sine, exact on any machine.
fn triangle(t: f32) -> f32 {
    (t - t.floor() - 0.5).abs() * 4.0 - 1.0
}

/// The lattice values around a point, blended smoothly.
fn soft_noise(lattice: &[[f32; LATTICE]; LATTICE], at: Point) -> f32 {
    let [(column, right), (row, down)] = at.map(|v| {
        let v = v.clamp(0.0, 1.0) * (LATTICE - 1) as f32;
        let cell = (v as usize).min(LATTICE - 2);
        let t = v - cell as f32;
        (cell, t * t * (3.0 - 2.0 * t))
    });
    let [top, bottom] = [lattice[row], lattice[row + 1]].map(|line| {
        let (a, b) = (line[column], line[column + 1]);
        a + (b - a) * right
    });
    top + (bottom - top) * down
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_meets_its_lattice() {
        let mut lattice = [[0.0; LATTICE]; LATTICE];
        lattice[LATTICE - 1][LATTICE - 1] = 0.75;
        assert_eq!(soft_noise(&lattice, [1.0, 1.0]), 0.75);
        assert_eq!(soft_noise(&lattice, [0.0, 1.0]), 0.0);
    }

    #[test]
    fn triangle_repeats() {
        assert_eq!([triangle(0.0), triangle(0.25), triangle(0.5), triangle(-1.0)], [1.0, 0.0, -1.0, 1.0]);
    }
}
