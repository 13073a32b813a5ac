//! Features of images from a frozen backbone, on the host.

mod cls_attention;
pub mod encode;
mod pooling;
mod readout;
mod token_grid;

pub use cls_attention::ClsAttention;
pub use pooling::{PatchMean, Pooling, feature};
pub use readout::{Readout, read_out};
pub use token_grid::{TokenGrid, pixels_of_patches};
