//! What happens in a run.

use super::record::Record;
use super::state::RunState;

/// What happens in a run.
pub enum Event<'a> {
    /// A step ended.
    Step {
        /// Steps done.
        step: usize,
        /// Epochs done.
        epochs: usize,
        loss: f64,
    },
    Record(Record),
    Warning(&'a str),
    /// A sentence for people.
    Notice(&'a str),
    /// A checkpoint was written after so many steps.
    Saved(usize),
    State {
        state: RunState,
        step: usize,
        epochs: usize,
        /// Step of the last checkpoint.
        saved: Option<usize>,
        message: Option<&'a str>,
    },
}
