//! Linear classifiers on frozen features.

mod beside;
mod save;
mod settings;

pub use self::settings::Linear;
pub(super) use self::settings::usual_batch;
