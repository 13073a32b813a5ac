//! Features as files for other programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use burn::tensor::Tensor;
use ibot_core::weights::{StoredPrecision, Weight, Weights, to_safetensors};

use super::npy;
use super::store::FeatureRows;
use crate::data::Dataset;
use crate::files::write_atomically;

/// Formats by the ending of the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureFormat {
    Npy,
    /// One tensor, `features`.
    Safetensors,
}

/// What was written.
pub struct FeatureFiles {
    /// Number of images, and the width of a feature.
    pub shape: Vec<usize>,
    /// The names of the images.
    pub list: PathBuf,
}

impl FeatureFormat {
    /// The format of `file`.
    ///
    /// # Errors
    /// If its name has another ending.
    pub fn of(file: &Path) -> Result<Self> {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("safetensors") => Ok(Self::Safetensors),
            _ => bail!("{} must end in .npy or .safetensors", file.display()),
        }
    }
}

/// Writes features to `file`, and beside it a list of their images, one a line, with the class
/// after a tab where there are classes.
///
/// # Errors
/// If the device fails or a file cannot be written.
pub fn write_features(
    file: &Path,
    format: FeatureFormat,
    data: &Dataset,
    features: FeatureRows,
) -> Result<FeatureFiles> {
    let shape = features.rows.dims().to_vec();
    let values = to_host(features.rows)?;
    let bytes = match format {
        FeatureFormat::Npy => npy::write(&shape, &values),
        FeatureFormat::Safetensors => {
            let shape = shape.clone();
            let tensor = ("features".to_owned(), Weight { shape, values });
            let weights = Weights::from([tensor]);
            to_safetensors(&weights, HashMap::new(), StoredPrecision::F32)?
        }
    };
    write_atomically(file, &bytes)?;

    let mut list = file.to_owned().into_os_string();
    list.push(".txt");
    let list = PathBuf::from(list);
    write_atomically(&list, names(data, &features.indices).as_bytes())?;
    Ok(FeatureFiles { shape, list })
}

fn names(data: &Dataset, indices: &[usize]) -> String {
    let mut names = String::new();
    for index in indices {
        names += &data.name(*index);
        let label = data.label(*index);
        if let Some(class) = label.and_then(|label| data.classes().get(label)) {
            names += &format!("\t{class}");
        }
        names.push('\n');
    }
    names
}

fn to_host(rows: Tensor<2>) -> Result<Vec<f32>> {
    rows.try_into_vec_as::<f32>()
        .map_err(|error| anyhow!("cannot read the features from the device: {error:?}"))
}
