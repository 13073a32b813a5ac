//! Frozen features of a dataset's images: one extractor for `ibot eval`, `ibot embed` and the
//! evaluations of a run, and the files that other programs read.

mod decode;
mod extract;
mod file;
pub mod npy;
mod view;

pub use ibot_core::features::Pooling;

pub use self::extract::{Encoder, Extractor, FeatureRows};
pub use self::file::{FeatureFormat, write_features};
pub use self::view::EvalView;
