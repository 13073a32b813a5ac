//! Fine-tune: learns classes from a few images, a moment at a time.

mod examples;
mod files;
mod learner;
mod lessons;
mod session;
pub mod tuner;
