//! Measures of a result against the truth, or of features alone. None of them knows a network.

pub mod accuracy;
mod assignment;
pub mod boundary;
pub mod calibration;
mod confusion;
pub mod contingency;
pub mod pck;
pub mod rank;
pub mod ranking;
pub mod region;
pub mod segmentation;
pub mod structure;

pub use confusion::Confusion;
