//! Copy detection: does an altered copy of an image find the image that it was made of?

mod groups;
mod whitening;

pub use groups::{AlikePair, groups};
pub use whitening::{Whitening, WhiteningError};

/// Images of a ranked list that are looked at, as by the official code.
pub const SEEN: usize = 20;
