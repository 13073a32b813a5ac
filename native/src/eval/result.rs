//! The result of an evaluation as a file: one schema for all.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::measures::Measures;

/// What `ibot eval` writes.
#[derive(Clone, Debug, Serialize)]
pub struct EvalResult {
    /// Name of the evaluation.
    pub task: &'static str,
    /// Name and value; shares lie between 0 and 1.
    pub measures: Measures,
    /// Section or table of the paper.
    pub paper: &'static str,
    /// What `--model` took.
    pub model: String,
    /// SHA-256 of the file of weights; `None` for pixels.
    pub weights_sha256: Option<String>,
    /// Whether random weights took the place of those of the file.
    pub untrained: bool,
    pub data: String,
    pub val: Option<String>,
    /// Numbers of images by their role.
    pub images: Value,
    /// The settings of the evaluation, and the view of an image.
    pub settings: Value,
    /// Duration of the evaluation, without opening data and model.
    pub seconds: f64,
    pub device: String,
}

/// SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let digest = Sha256::digest(&bytes);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
