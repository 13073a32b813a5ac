//! A lesson that a person gives: labelled images, settings and the tuned model, as bytes to keep.

mod model_file;
mod project;
mod split;

pub use model_file::{TunedModel, read_tuned, write_tuned};
pub use project::{Project, ProjectImage, ProjectSettings, StoreError};
pub use split::{Split, split};
