//! Which labels of a mask are objects.

use crate::annotation::labels::LabelMap;

/// Marks pixels that belong to no object, or the only object.
const VOID: usize = 255;

/// How the masks of a sequence number their objects, by its first mask.
///
/// Objects are the labels from 1 to the largest of the first mask; 255 marks pixels that belong to
/// none, as in DAVIS 2017. In a mask without other labels 255 is the only object, as in DAVIS 2016
/// and in pictures in black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectNumbers {
    count: usize,
    is_binary: bool,
}

/// Why a mask shows no objects.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ObjectError {
    #[error("it shows no object: all its pixels are 0, and objects are 1, 2 and so on")]
    Empty,
    #[error("it has label {0}, and objects are numbered from 1 to at most 254")]
    TooMany(usize),
}

impl ObjectNumbers {
    /// What the first mask of a sequence says.
    ///
    /// # Errors
    /// If it has no object, or a number beyond 254.
    pub fn of(first: &LabelMap) -> Result<Self, ObjectError> {
        let labels = || first.cells().iter().copied();
        let largest = labels().filter(|label| *label != VOID).max().unwrap_or(0);
        let has_void = labels().any(|label| label == VOID);
        if largest == 0 && !has_void {
            return Err(ObjectError::Empty);
        }
        if largest > VOID {
            return Err(ObjectError::TooMany(largest));
        }
        Ok(Self {
            count: largest.max(1),
            is_binary: largest == 0,
        })
    }

    /// The number of objects, gaps between their numbers included.
    pub fn count(self) -> usize {
        self.count
    }

    /// A mask with the numbers of objects, and 0 elsewhere.
    pub fn read(self, mask: &LabelMap) -> LabelMap {
        LabelMap::from_fn(mask.rows(), mask.columns(), |pixel| {
            match mask.cells()[pixel] {
                VOID => usize::from(self.is_binary),
                label => label,
            }
        })
    }
}
