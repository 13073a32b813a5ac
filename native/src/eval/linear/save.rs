//! The file of a trained head.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use ibot_core::learn::Classifier;
use ibot_core::weights::{HeadHeader, HeadTensors, StoredPrecision, Weight, to_safetensors};

use crate::files::write_atomically;

/// Writes a head under timm's names, with what it reads of an image and the names of its classes.
pub fn save_head(file: &Path, classifier: &Classifier, header: &HeadHeader) -> Result<()> {
    let (classes, width) = (classifier.classes(), classifier.dim());
    let weight = Weight {
        shape: vec![classes, width],
        values: classifier.weight().to_vec(),
    };
    let bias = Weight {
        shape: vec![classes],
        values: classifier.bias().to_vec(),
    };
    let head = HeadTensors::new("head.weight", weight, bias)?;

    let json = serde_json::to_string(header).context("what the head reads, as JSON")?;
    let metadata = HashMap::from([(HeadHeader::KEY.to_owned(), json)]);
    let bytes = to_safetensors(&head.alone(), metadata, StoredPrecision::F32)
        .context("the head as safetensors")?;
    Ok(write_atomically(file, &bytes)?)
}
