//! Explore: answers about the tokens of two images.

mod compare;
mod encode;
mod group;
mod predict;
pub mod slots;
