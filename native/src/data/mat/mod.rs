//! MAT files of MATLAB, version 5 (what `save -v6` and `save -v7` write), as far as annotations need
//! them: numbers, texts, cells and structs.
//!
//! A file may lie. No input makes a panic, memory is bounded whatever sizes are claimed, and
//! nothing recurses deeper than a few levels.

mod array;
mod element;
mod error;
mod file;
mod value;

pub use self::file::MatFile;
pub use self::value::MatValue;

#[cfg(test)]
mod tests;
