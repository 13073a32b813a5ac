//! Measures of a result against the truth. None of them knows a network.

mod confusion;
pub mod contingency;
mod hungarian;
pub mod pck;

pub use confusion::Confusion;
