//! Colors of numbers and of kinds.
//!
//! A crate of its own because the page links it, and must not link burn, which `ibot-core` needs.

pub mod range;
pub mod scale;

pub use range::Range;
pub use scale::{ColorScale, category, mix};
