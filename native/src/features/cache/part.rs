//! A file of rows: safetensors with the tensor `rows` `[M, D]`, the images and the key in the
//! header, and a checksum over all.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use ibot_core::weights::{StoredPrecision, Weight, Weights, from_safetensors, to_safetensors};

use crate::seal;

const ROWS: &str = "rows";
const KEY: &str = "ibot.features";
const IMAGES: &str = "images";

/// Rows and the images that they belong to.
#[derive(Default)]
pub struct Part {
    images: Vec<usize>,
    values: Vec<f32>,
}

/// Why a file is no part of these rows.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("it is damaged ({0})")]
    Damaged(String),
    #[error("it holds other features than its folder")]
    Foreign,
}

impl Part {
    /// The rows in `file`, if they are of `key` and `width` numbers wide.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or holds something else.
    pub fn read(file: &Path, key: &str, width: usize) -> Result<Self, PartError> {
        let bytes = fs::read(file)?;
        seal::verify(&bytes).map_err(|error| PartError::Damaged(error.to_string()))?;
        let (mut weights, metadata) =
            from_safetensors(&bytes).map_err(|error| PartError::Damaged(error.to_string()))?;

        if metadata.get(KEY).is_none_or(|written| written != key) {
            return Err(PartError::Foreign);
        }
        let images = metadata.get(IMAGES).map(String::as_str).unwrap_or_default();
        let images: Vec<usize> = serde_json::from_str(images).map_err(|_| PartError::Foreign)?;
        match weights.remove(ROWS) {
            Some(rows) if rows.shape == [images.len(), width] => Ok(Self {
                images,
                values: rows.values,
            }),
            _ => Err(PartError::Foreign),
        }
    }

    /// The file of these rows.
    pub fn to_bytes(&self, key: &str, width: usize) -> Result<Vec<u8>> {
        let rows = Weight {
            shape: vec![self.images.len(), width],
            values: self.values.clone(),
        };
        let mut metadata = HashMap::from([
            (KEY.to_owned(), key.to_owned()),
            (IMAGES.to_owned(), serde_json::to_string(&self.images)?),
        ]);
        seal::reserve(&mut metadata);
        let weights = Weights::from([(ROWS.to_owned(), rows)]);
        let mut bytes = to_safetensors(&weights, metadata, StoredPrecision::F32)?;
        seal::seal(&mut bytes)?;
        Ok(bytes)
    }

    pub fn add(&mut self, image: usize, row: &[f32]) {
        self.images.push(image);
        self.values.extend_from_slice(row);
    }

    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Size of the values.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.values[..])
    }

    pub fn rows(&self, width: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let images = self.images.iter().copied();
        images.zip(self.values.chunks_exact(width))
    }
}
