//! Why a file cannot be read.

/// Why a PyTorch file, or a tensor of it, cannot be read. Text from the file is quoted in part
/// only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PthError {
    /// The file is of another kind.
    #[error("not a PyTorch file of weights: {0}")]
    Format(String),
    /// The numbers are in the byte order of another kind of machine.
    #[error(
        "the file was written on a big-endian machine; load it there with torch and save it as safetensors"
    )]
    BigEndian,
    /// The zip archive is damaged, or not one that torch writes.
    #[error("zip archive, byte {at}: {problem}")]
    Zip {
        /// Position in the file.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// An entry of the zip archive cannot be used.
    #[error("zip archive, entry `{name}`: {problem}")]
    Entry {
        /// Its name without the archive's common folder.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A pickle is damaged, or does what no saved weights do.
    #[error("{pickle}, byte {at}, opcode {opcode}: {problem}")]
    Pickle {
        /// Which of the file's pickles.
        pickle: &'static str,
        /// Position of the opcode in that pickle.
        at: usize,
        /// The opcode, as Python's `pickletools` names it.
        opcode: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A file in the format of torch before 1.6 is damaged.
    #[error("file in the format of torch before 1.6, byte {at}: {problem}")]
    Legacy {
        /// Position in the file.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// The section asked for does not exist or holds no dictionary.
    #[error("the file has no dictionary {wanted}; those with tensors are: {available}")]
    Section {
        /// What was asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// A tensor cannot be read.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// Its key in the dictionary.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The tensors of a section overlap so much that they would be far larger than the file.
    #[error(
        "the different tensors of the section add up to more than {limit} bytes, twice the size of the file; \
         save contiguous copies of them"
    )]
    TooMuch {
        /// The most that is handed out.
        limit: u64,
    },
}
