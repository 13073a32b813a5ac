//! iBOT on [burn]: networks, losses, masks, augmentations, schedules and the training step.
//!
//! This crate knows no files, no threads and no browser; `ibot-native` and the web page bring
//! those.

pub mod analysis;
pub mod annotation;
pub mod eval;
pub mod features;
pub mod finetune;
pub mod grid;
pub mod image;
mod kernels;
pub mod learn;
pub mod metrics;
pub mod model;
pub mod onnx;
pub mod optim;
pub mod pickle;
pub mod picture;
mod platform;
pub mod pretrain;
pub mod problems;
pub mod rng;
pub mod scenes;
pub mod session;
#[cfg(test)]
mod testing;
pub mod weights;
