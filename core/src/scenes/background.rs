//! What lies behind the object: a plain color, a gradient or soft clouds, the same at any
//! resolution.

use rand::RngExt;

use super::outlines::Point;
use super::palette::{Rgb, mix};
use crate::rng::Rng;

/// Lattice points on a side of the clouds.
const LATTICE: usize = 7;

/// A texture of two tones over the unit square.
pub(super) struct Background {
    tones: [Rgb; 2],
    texture: Texture,
    /// Direction of the gradient times its steepness.
    slope: Point,
}

// None has an outline: a background that could be told from others by its texture would be an
// easier thing to learn than the object before it.
enum Texture {
    Flat,
    Gradient,
    Clouds([[f32; LATTICE]; LATTICE]),
}

impl Background {
    pub fn random(rng: &mut Rng, tones: [Rgb; 2]) -> Self {
        let (sin, cos) = rng.random_range(0.0..std::f32::consts::TAU).sin_cos();
        let steepness = rng.random_range(0.7..1.1);
        let texture = match rng.random_range(0..3) {
            0 => Texture::Flat,
            1 => Texture::Gradient,
            _ => Texture::Clouds([(); LATTICE].map(|()| [(); LATTICE].map(|()| rng.random()))),
        };
        Self {
            tones,
            texture,
            slope: [cos * steepness, sin * steepness],
        }
    }

    pub fn color(&self, [x, y]: Point) -> Rgb {
        let share = match &self.texture {
            Texture::Flat => 0.0,
            Texture::Gradient => 0.5 + (x - 0.5) * self.slope[0] + (y - 0.5) * self.slope[1],
            Texture::Clouds(lattice) => soft_noise(lattice, [x, y]),
        };
        mix(self.tones[0], self.tones[1], share.clamp(0.0, 1.0))
    }
}

/// The lattice values around a point, blended smoothly.
fn soft_noise(lattice: &[[f32; LATTICE]; LATTICE], at: Point) -> f32 {
    let [(column, right), (row, down)] = at.map(|v| {
        let v = v.clamp(0.0, 1.0) * (LATTICE - 1) as f32;
        // The last cell includes the far edge.
        let cell = (v as usize).min(LATTICE - 2);
        let t = v - cell as f32;
        // Smoothstep, so that cells show no edges.
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
    use crate::testing::test;

    #[test]
    fn noise_meets_its_lattice() {
        let mut lattice = [[0.0; LATTICE]; LATTICE];
        lattice[LATTICE - 1][LATTICE - 1] = 0.75;
        assert_eq!(soft_noise(&lattice, [1.0, 1.0]), 0.75);
        assert_eq!(soft_noise(&lattice, [0.0, 1.0]), 0.0);
    }
}
