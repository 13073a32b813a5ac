//! The result of an evaluation as a file: one schema for all.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::measures::Measures;
use crate::digest::hex_digest;

/// What `ibot eval` writes: a line of `results.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct EvalResult {
    pub task: &'static str,
    /// Seconds since 1970 when it was done.
    pub time: u64,
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
    /// The settings of the evaluation and its seed, the view of an image and the precision of the
    /// network.
    pub settings: Value,
    /// Images that went through the network; the features of others were kept from before.
    pub encoded: usize,
    /// Duration of the evaluation, without opening data and model.
    pub seconds: f64,
    pub device: String,
}

/// SHA-256 of a file, in hexadecimal digits.
pub fn sha256(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(hex_digest(&bytes))
}

pub const RESULTS_FILE: &str = "results.jsonl";

/// Where results of `model` go: `given`, or into the folder of a run, or into the working folder.
pub fn results_file(given: Option<&Path>, model: &Path) -> PathBuf {
    match given {
        Some(given) => given.to_owned(),
        None if model.is_dir() => model.join(RESULTS_FILE),
        None => PathBuf::from(RESULTS_FILE),
    }
}

/// Adds a line to the results in `file`.
pub fn append_result(file: &Path, result: &EvalResult) -> Result<()> {
    let line = serde_json::to_string(result)?;
    append_line(file, &line).with_context(|| format!("cannot add to {}", file.display()))
}

fn append_line(path: &Path, line: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).read(true).append(true).open(path)?;

    let mut bytes = format!("{line}\n").into_bytes();
    if file.seek(SeekFrom::End(0))? > 0 {
        // A kill can leave a line cut short, which must not spoil this one.
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            bytes.insert(0, b'\n');
        }
    }
    file.write_all(&bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_added_after_one_that_was_cut_short() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(RESULTS_FILE);
        append_line(&file, "{}").expect("a new file");
        append_line(&file, "[]").expect("a second line");
        assert_eq!(fs::read_to_string(&file).expect("text"), "{}\n[]\n");
        fs::write(&file, "{\"cut").expect("writable");
        append_line(&file, "{}").expect("a line");
        assert_eq!(fs::read_to_string(&file).expect("text"), "{\"cut\n{}\n");
    }
}
