//! Features of images from a frozen backbone, on the host.

mod cls_attention;
pub mod encode;
mod pooling;
mod token_grid;

pub use cls_attention::ClsAttention;
pub use pooling::{Pooling, feature};
pub use token_grid::TokenGrid;
