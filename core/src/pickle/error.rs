//! Why a pickle cannot be read.

/// Where a pickle breaks off or contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pickle}, byte {at}, opcode {opcode}: {problem}")]
pub struct PickleError {
    /// What to call the pickle.
    pub pickle: &'static str,
    /// Where the opcode at fault begins.
    pub at: usize,
    /// The name of the opcode.
    pub opcode: &'static str,
    /// What is wrong.
    pub problem: String,
}
