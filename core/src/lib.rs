//! iBOT on [burn]: networks, losses, masks, augmentations, schedules and the training step.
//!
//! This crate knows no files, no threads and no browser; `ibot-native` and the web page bring
//! those.

pub mod augment;
pub mod config;
pub mod flops;
pub mod image;
mod kernels;
pub mod knn;
pub mod loss;
pub mod masking;
pub mod model;
pub mod onnx;
pub mod picture;
mod platform;
pub mod rng;
pub mod scenes;
pub mod schedule;
pub mod semantics;
#[cfg(test)]
mod testing;
pub mod train;
pub mod tune;
pub mod weights;
