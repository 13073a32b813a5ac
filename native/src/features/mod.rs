//! Frozen features of a dataset's images: one store for `ibot eval`, `ibot embed` and the
//! evaluations of a run, and the files that other programs read.

mod decode;
mod file;
mod lanes;
pub mod npy;
mod progress;
mod store;
mod table;
mod view;

pub use ibot_core::features::{PatchMean, Pooling, Readout};

pub use self::file::{FeatureFormat, write_features};
pub use self::store::{Encoder, FeatureRows, FeatureStore};
pub use self::view::EvalView;
