//! A lesson that a person gives: labelled images, settings and the tuned model, as bytes to keep.

mod hold_out;
mod model_file;
mod project;
mod store;

pub use hold_out::{Holdout, hold_out};
pub use model_file::{TunedModel, write_tuned};
pub use project::{Project, ProjectImage, ProjectSettings};
pub use store::StoreError;
