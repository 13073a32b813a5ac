//! Measures of a result against the truth. None of them knows a network.

pub mod accuracy;
mod assignment;
mod confusion;
pub mod contingency;
pub mod pck;

pub use confusion::Confusion;
