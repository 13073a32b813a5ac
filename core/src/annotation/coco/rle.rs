//! Masks as run lengths, as COCO stores them: column by column, the first run of zeros.

use crate::grid::{Grid, GridShape};

/// The longest side of a mask and the most pixels, beyond those of any image.
const MOST_SIDE: usize = 1 << 16;
const MOST_PIXELS: usize = 1 << 28;
/// Bits of a run length that a character of the compressed form holds.
const BITS: u32 = 5;

/// A mask as the lengths of its runs. They go down the columns, one after the other, and the first
/// is of pixels outside of the mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLengths {
    shape: GridShape,
    counts: Vec<u32>,
}

/// Why run lengths are no mask.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum RunError {
    #[error("a mask of {width} x {height} pixels is none")]
    Size { width: usize, height: usize },
    #[error("its runs are {sum} pixels long, but {width} x {height} pixels are {pixels}")]
    Sum {
        sum: u64,
        pixels: usize,
        width: usize,
        height: usize,
    },
    #[error("character {place} of its runs, `{character}`, belongs to no compressed run length")]
    Character { place: usize, character: char },
    #[error("its runs break off within a number")]
    Truncated,
    #[error("run {run} has a length of {length} pixels")]
    Length { run: usize, length: i64 },
}

impl RunLengths {
    /// A mask of `width` x `height` pixels from the lengths of its runs.
    ///
    /// # Errors
    /// If the runs are not as long as the mask together, or the mask has no pixel or too many.
    pub fn new(width: usize, height: usize, counts: Vec<u32>) -> Result<Self, RunError> {
        let pixels = pixels(width, height)?;
        let sum: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        if sum != pixels as u64 {
            return Err(RunError::Sum {
                sum,
                pixels,
                width,
                height,
            });
        }
        Ok(Self {
            shape: GridShape {
                rows: height,
                columns: width,
            },
            counts,
        })
    }

    /// A mask of `width` x `height` pixels from the compressed form: like LEB128 with 6 bits a
    /// character, each run from the fourth on as the difference from the one two before.
    ///
    /// # Errors
    /// If the text is not of that form, or does not give the runs of such a mask.
    pub fn from_text(width: usize, height: usize, text: &str) -> Result<Self, RunError> {
        let mut counts: Vec<u32> = Vec::new();
        let mut number: i64 = 0;
        let mut shift = 0;
        for (place, character) in text.chars().enumerate() {
            let code = u32::from(character).wrapping_sub(48);
            // 48 to 111: six bits. No run length needs more than seven characters.
            if code > 63 || shift > 6 * BITS {
                return Err(RunError::Character { place, character });
            }
            number |= i64::from(code & 0x1f) << shift;
            shift += BITS;
            if code & 0x20 != 0 {
                continue;
            }

            // The highest bit of the last character is the sign.
            if code & 0x10 != 0 {
                number |= -1 << shift;
            }
            // After the third run lengths of one kind are stored by their difference, as
            // neighbouring columns are alike.
            if let [.., before, _] = counts[..]
                && counts.len() > 2
            {
                number += i64::from(before);
            }
            let length = u32::try_from(number).map_err(|_| RunError::Length {
                run: counts.len(),
                length: number,
            })?;
            counts.push(length);
            number = 0;
            shift = 0;
        }
        if shift != 0 {
            return Err(RunError::Truncated);
        }
        Self::new(width, height, counts)
    }

    /// The runs of a mask.
    pub fn of_mask(mask: &Grid<bool>) -> Self {
        let mut counts = Vec::new();
        let mut run = 0;
        let mut value = false;
        for column in 0..mask.columns() {
            for row in mask.cells().chunks_exact(mask.columns()) {
                if row[column] != value {
                    counts.push(run);
                    run = 0;
                    value = !value;
                }
                run += 1;
            }
        }
        // The last run ends with the mask, whatever its value.
        counts.push(run);
        Self {
            shape: mask.shape(),
            counts,
        }
    }

    /// The compressed form, which [`Self::from_text`] reads.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (run, count) in self.counts.iter().enumerate() {
            let mut rest = i64::from(*count);
            if run > 2 {
                rest -= i64::from(self.counts[run - 2]);
            }
            loop {
                let low = rest & 0x1f;
                rest >>= BITS;
                // The sign is that of the highest bit of the last character.
                let is_last = rest == if low & 0x10 != 0 { -1 } else { 0 };
                let code = low as u8 | if is_last { 0 } else { 0x20 };
                text.push(char::from(code + 48));
                if is_last {
                    break;
                }
            }
        }
        text
    }

    /// Columns of pixels.
    pub fn width(&self) -> usize {
        self.shape.columns
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.shape.rows
    }

    /// The lengths of the runs.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Whether each pixel belongs to the mask.
    pub fn mask(&self) -> Grid<bool> {
        let mut columns = Vec::with_capacity(self.shape.count());
        for (run, count) in self.counts.iter().enumerate() {
            columns.resize(columns.len() + *count as usize, run % 2 == 1);
        }
        by_rows(&columns, (self.width(), self.height()))
    }
}

/// A mask row by row from its pixels column by column.
pub(super) fn by_rows(columns: &[bool], (width, height): (usize, usize)) -> Grid<bool> {
    Grid::from_fn(height, width, |cell| {
        columns[cell % width * height + cell / width]
    })
}

/// The number of pixels of a mask.
///
/// # Errors
/// If there is none, or there are too many.
pub(super) fn pixels(width: usize, height: usize) -> Result<usize, RunError> {
    let pixels = width.saturating_mul(height);
    if width.max(height) > MOST_SIDE || !(1..=MOST_PIXELS).contains(&pixels) {
        return Err(RunError::Size { width, height });
    }
    Ok(pixels)
}
