//! Classes of patches by their nearest neighbours among labelled patches.

mod bank;
mod standard;
mod votes;

pub use bank::PatchBank;
pub use standard::Standard;
pub use votes::{CellLabels, majority_votes};

/// Numbers of neighbours in CAPI (Darcet et al. 2025, arXiv 2502.08769).
pub const NEIGHBOURS: [usize; 4] = [1, 3, 10, 30];
