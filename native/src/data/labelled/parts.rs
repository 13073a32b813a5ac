//! The parts of a set.

use crate::data::error::DataError;
use crate::data::tree::FileTree;

/// The name of the images to train on, in every set.
pub const TRAIN: &str = "train";

/// The part that was asked for, one of `parts`, or else the first of them.
///
/// # Errors
/// If there is no such part.
pub fn chosen<'a>(
    tree: &FileTree,
    kind: &str,
    parts: &[&'a str],
    asked: Option<&str>,
) -> Result<&'a str, DataError> {
    let Some(asked) = asked else {
        return Ok(parts.first().copied().unwrap_or(TRAIN));
    };
    let found = parts.iter().find(|part| **part == asked);
    found.copied().ok_or_else(|| {
        let known: Vec<String> = parts.iter().map(|part| format!("`:{part}`")).collect();
        let problem = format!(
            "{kind} has no part `{asked}`; there are {}",
            known.join(", ")
        );
        DataError::layout(tree.place(), problem)
    })
}
