//! Linear classifiers on frozen features.

mod batch;
mod beside;
mod save;
mod settings;

pub(super) use self::batch::usual_batch;
pub use self::settings::Linear;
