//! How a run ends that does not fail.

use crate::exchange::Stop;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Complete,
    /// It stopped before, and is saved.
    Stopped(Stop),
}
