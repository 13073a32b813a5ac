//! Evaluations: one file each, from tensors to named measures, without datasets or files.

pub mod attentive;
pub mod backgrounds;
pub mod cluster;
pub mod copies;
pub mod corruptions;
pub mod discovery;
mod heads;
pub mod imagenet;
pub mod in_context;
pub mod judge;
pub mod keypoints;
pub mod knn;
pub mod linear;
pub mod logistic;
pub mod occlusion;
pub mod patches;
pub mod retrieval;
pub mod shift;
pub mod shuffle;
pub mod video;

pub use heads::{HeadScore, ProbeError, best_head};
