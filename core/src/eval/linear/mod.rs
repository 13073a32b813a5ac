//! Linear classifiers on frozen features: the official sweep over learning rates (paper section
//! 4.1).

mod fit;
mod sweep;

pub use fit::{BestHead, LinearFit};
pub use sweep::{LinearSweep, official_rates, scaled_rate};

#[cfg(test)]
mod tests;
