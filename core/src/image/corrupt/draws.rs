//! Random numbers of the distributions that corruptions draw from.

use rand::RngExt as _;
use rand_distr::{Distribution as _, Poisson, StandardNormal};

use crate::rng::Rng;

/// A source of random numbers.
pub trait Draws {
    /// A standard normal number.
    fn normal(&mut self) -> f64;
    /// A number of `[0, 1)`.
    fn uniform(&mut self) -> f64;
    /// A whole number of `[-reach, reach)`.
    fn offset(&mut self, reach: isize) -> isize;

    /// A number of `[low, high)`.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }
}

impl Draws for Rng {
    fn normal(&mut self) -> f64 {
        StandardNormal.sample(self)
    }

    fn uniform(&mut self) -> f64 {
        self.random()
    }

    fn offset(&mut self, reach: isize) -> isize {
        self.random_range(-(reach as i64)..reach as i64) as isize
    }
}

/// A Poisson number with a mean of at least 0.
pub fn poisson(mean: f64, rng: &mut Rng) -> f64 {
    // A mean of 0 is no Poisson distribution for the library.
    Poisson::new(mean).map_or(0.0, |poisson| poisson.sample(rng))
}
