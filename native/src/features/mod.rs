//! Frozen features of a dataset's images: one store for `ibot eval`, `ibot embed` and the
//! evaluations of a run, and the files that other programs read.

mod args;
mod cache;
mod decode;
mod encoder;
mod file;
mod grids;
mod lanes;
mod memory;
pub mod npy;
mod parquet;
mod pass;
mod pictures;
mod progress;
mod rows;
mod saved;
mod sink;
mod store;
mod table;
mod view;

pub use ibot_core::features::{PatchMean, Pooling, Readout};

pub use self::args::{Extraction, FeatureArgs};
pub use self::encoder::Encoder;
pub use self::file::{FeatureFormat, FeatureTable, write_features};
pub use self::grids::{SeenImage, WholeView, seen_images};
pub use self::pictures::{picture_rows, token_grids};
pub use self::progress::PassProgress;
pub use self::rows::FeatureRows;
pub use self::saved::SavedFeatures;
pub use self::store::FeatureStore;
pub use self::view::EvalView;
