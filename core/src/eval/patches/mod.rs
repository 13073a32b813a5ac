//! Classes of patches by their nearest neighbours among labelled patches.

mod bank;
mod votes;

pub use bank::PatchBank;
pub use votes::{CellLabels, majority_votes};
