//! Features of images from a frozen backbone.

pub mod encode;
mod pooling;

pub use pooling::{Pooling, feature};
