//! Evaluations: one file each, from tensors to named measures, without datasets or files.

pub mod attentive;
pub mod cluster;
mod heads;
pub mod imagenet;
pub mod judge;
pub mod knn;
pub mod linear;
pub mod logistic;

pub use heads::{HeadScore, ProbeError, best_head};
