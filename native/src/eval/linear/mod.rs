//! Linear classifiers on frozen features.

mod augmented;
mod bar;
mod save;
mod settings;
mod table;
mod training;

pub(super) use self::augmented::Augmented;
pub(super) use self::bar::TrainingBar;
pub use self::settings::Linear;
pub(super) use self::settings::usual_batch;
pub(super) use self::table::{curve, headline, measures, table};
pub(super) use self::training::SweepTraining;
