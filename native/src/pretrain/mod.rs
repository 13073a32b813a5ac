//! `ibot pretrain`: iBOT as something that a run trains.

pub mod charts;
mod collapse;
mod job;
mod learner;
pub(crate) mod multi_crop;
mod plan;
mod preview;
mod wire;

pub use self::job::PretrainJob;

#[cfg(test)]
mod tests;
