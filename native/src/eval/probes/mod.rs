//! Classifiers that are trained on a frozen network, several at once, each with its own learning
//! rate.

mod augmented;
mod bar;
mod probe;
mod table;
mod training;

pub use self::augmented::Augmented;
pub use self::probe::{AttentiveProbe, LinearProbe, Probe};
pub use self::table::{curve, headline, measures, table};
pub use self::training::ProbeTraining;
