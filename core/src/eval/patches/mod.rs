//! Classes of patches by their nearest neighbours among labelled patches, or by a regression.

mod bank;
mod regression;
mod standard;
mod votes;

pub use bank::PatchBank;
pub use regression::{PatchSet, Regression, Training};
pub use standard::Standard;
pub use votes::{CellLabels, majority_class, majority_votes};

/// Numbers of neighbours in CAPI (Darcet et al. 2025, arXiv 2502.08769).
pub const NEIGHBOURS: [usize; 4] = [1, 3, 10, 30];

/// Costs of an error among which CAPI chooses: eight from 1e-6 to 1e5, evenly in their logarithms,
/// here with three digits.
pub const COSTS: [f64; 8] = [1e-6, 3.73e-5, 1.39e-3, 5.18e-2, 1.93, 72.0, 2680.0, 1e5];
