//! Why a MAT file cannot be read.

/// What is wrong with a MAT file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatError {
    #[error("{0} bytes are too few for a MAT file; download it again")]
    Short(usize),
    #[error(
        "it is no MAT file of version 5; one of version 7.3 (HDF5) or 4 has to be saved again, by `save -v7` in MATLAB"
    )]
    Version,
    /// A variable breaks off or contradicts itself.
    #[error("variable {variable}, byte {at} of it: {problem}; download it again")]
    Damaged {
        /// Its place in the file, counted from 1.
        variable: usize,
        /// In the variable, decompressed.
        at: usize,
        problem: String,
    },
    #[error("variable {variable} is more than the {limit} MiB that are read of a MAT file")]
    TooLarge { variable: usize, limit: usize },
}

/// What is wrong at a byte of a variable.
pub struct Fault {
    pub at: usize,
    pub problem: String,
}

impl Fault {
    pub fn new(at: usize, problem: impl Into<String>) -> Self {
        Self {
            at,
            problem: problem.into(),
        }
    }

    /// The error of the whole file.
    pub fn in_variable(self, variable: usize) -> MatError {
        MatError::Damaged {
            variable,
            at: self.at,
            problem: self.problem,
        }
    }
}
