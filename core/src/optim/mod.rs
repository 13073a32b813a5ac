//! What any training updates its parameters by: gradients, AdamW, schedules, the loss scale.

mod adamw;
mod gradients;
mod in_place;
mod loss_scale;
pub mod schedule;

pub use adamw::AdamW;
pub(crate) use adamw::Moments;
pub use gradients::{GradientNorms, NamedGradients};
pub(crate) use in_place::change_in_place;
pub use loss_scale::LossScale;
