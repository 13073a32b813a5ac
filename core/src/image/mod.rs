//! Images on the host: pixels, and everything between a decoded image and a network's input.

pub mod augment;
pub mod corrupt;
#[cfg(test)]
pub(crate) mod fixture;
pub mod normalize;
mod planes;
pub mod resize;
mod rgb;
pub(crate) mod taps;

pub use planes::Planes;
pub use rgb::{ImageError, RgbImage};
