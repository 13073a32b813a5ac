//! What happens in a run.

use super::record::Record;
use super::state::RunState;

pub enum Event<'a> {
    Step {
        step: usize,
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
        saved: Option<usize>,
        message: Option<&'a str>,
    },
}
