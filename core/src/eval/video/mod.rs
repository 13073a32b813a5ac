//! Objects in a video, from the mask of its first frame and the patch tokens of all frames (paper
//! section 4.2, DAVIS 2017).

mod frame;
mod nearest;
mod neighbours;
mod objects;
mod propagation;
mod score;
mod soft_mask;
#[cfg(test)]
mod tests;
mod upsample;

pub use frame::{FrameSize, bilinear};
pub use objects::{ObjectError, ObjectNumbers};
pub use propagation::{Propagation, PropagationError, Propagator};
pub use score::{ObjectScore, SequenceScorer, Series, SizeMismatch};
pub use soft_mask::SoftMask;
