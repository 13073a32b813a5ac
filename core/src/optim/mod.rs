//! What any training updates its parameters by: gradients, AdamW, schedules, the loss scale.

mod adamw;
mod clip;
mod gradients;
mod in_place;
mod loss_scale;
mod rule;
mod scaling;
mod schedule;

pub(crate) use adamw::Moments;
pub use adamw::{AdamW, AdamWConfig};
pub use clip::{Clip, ClipBy};
pub use gradients::{GradientNorms, NamedGradients};
pub(crate) use in_place::change_in_place;
pub use loss_scale::LossScale;
pub use rule::Rule;
pub use scaling::{LrScaling, ScheduleShape};
pub use schedule::Schedule;
