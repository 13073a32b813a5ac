//! Fine-tuning on labelled images.

pub mod mix;
pub mod repeated;
