//! In-context segmentation: the label of a patch from the labelled patches that are most like it
//! (Hummingbird, Balazevic et al. 2023, arXiv 2306.01667).

mod sampling;
mod upsampling;
mod votes;

pub use sampling::sample;
pub use upsampling::upsample;
pub use votes::soft_votes;

/// Neighbours of a patch that vote.
pub const NEIGHBOURS: usize = 30;
/// Temperature of the votes.
pub const TEMPERATURE: f64 = 0.02;
