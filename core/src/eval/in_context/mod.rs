//! In-context segmentation: the label of a patch from the labelled patches that are most like it
//! (Hummingbird, Balazevic et al. 2023, arXiv 2306.01667).

mod memory;
mod sampling;
mod upsampling;
mod votes;

pub use memory::{PatchMemory, Voting};
pub use sampling::sample;
pub use upsampling::upsample;
