//! Features as files for other programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use ibot_core::weights::{StoredPrecision, Weight, Weights, to_safetensors};

use super::npy;
use super::parquet::{self, ParquetTable};
use super::rows::FeatureRows;
use crate::data::Dataset;
use crate::files::write_atomically;

/// Formats by the ending of the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureFormat {
    Npy,
    /// One tensor, `features`.
    Safetensors,
    /// A row for each image or patch, with the image's name and class.
    Parquet,
}

/// Features on the host.
pub struct FeatureTable {
    /// Which image each row belongs to.
    indices: Vec<usize>,
    /// Rows and columns of patches, where a row has the tokens of all of them.
    grid: Option<(usize, usize)>,
    /// Numbers of a feature or a token.
    width: usize,
    values: Vec<f32>,
}

impl FeatureTable {
    /// The table of `rows`, which have a token for each patch of `grid`, or one feature without
    /// it.
    pub fn new(rows: FeatureRows, grid: Option<(usize, usize)>) -> Self {
        let patches = grid.map_or(1, |(rows, columns)| rows * columns);
        Self {
            width: rows.width / patches,
            indices: rows.indices,
            grid,
            values: rows.values,
        }
    }

    /// `[images, width]`, or `[images, rows, columns, width]` of patches.
    pub fn shape(&self) -> Vec<usize> {
        match self.grid {
            Some((rows, columns)) => vec![self.indices.len(), rows, columns, self.width],
            None => vec![self.indices.len(), self.width],
        }
    }
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
            Some("parquet") => Ok(Self::Parquet),
            _ => bail!(
                "{} must end in .npy, .safetensors or .parquet",
                file.display()
            ),
        }
    }
}

/// Writes features to `file`. Beside an array it writes a list of the images, one a line, with the
/// class after a tab where there are classes, and returns its path; Parquet holds both itself.
pub fn write_features(
    file: &Path,
    format: FeatureFormat,
    data: &Dataset,
    table: &FeatureTable,
) -> Result<Option<PathBuf>> {
    let shape = table.shape();
    let names: Vec<String> = table
        .indices
        .iter()
        .map(|index| data.name(*index).into_owned())
        .collect();
    let classes = classes(data, &table.indices);

    let bytes = match format {
        FeatureFormat::Npy => npy::write(&shape, &table.values),
        FeatureFormat::Safetensors => {
            let values = table.values.clone();
            let tensor = ("features".to_owned(), Weight { shape, values });
            let weights = Weights::from([tensor]);
            to_safetensors(&weights, HashMap::new(), StoredPrecision::F32)?
        }
        FeatureFormat::Parquet => parquet::write(&ParquetTable {
            files: &names,
            labels: classes.as_deref(),
            grid: table.grid,
            width: table.width,
            values: &table.values,
        })?,
    };
    write_atomically(file, &bytes)?;
    if format == FeatureFormat::Parquet {
        return Ok(None);
    }

    let mut list = file.to_owned().into_os_string();
    list.push(".txt");
    let list = PathBuf::from(list);
    write_atomically(&list, lines(&names, classes.as_deref()).as_bytes())?;
    Ok(Some(list))
}

/// The class of each image; `None` without classes.
fn classes(data: &Dataset, indices: &[usize]) -> Option<Vec<String>> {
    if data.classes().is_empty() {
        return None;
    }
    let mut classes = Vec::with_capacity(indices.len());
    for index in indices {
        let class = data
            .label(*index)
            .and_then(|label| data.classes().get(label));
        classes.push(class.cloned().unwrap_or_default());
    }
    Some(classes)
}

fn lines(names: &[String], classes: Option<&[String]>) -> String {
    let mut lines = String::new();
    for (place, name) in names.iter().enumerate() {
        lines += name;
        if let Some(classes) = classes {
            lines += &format!("\t{}", classes[place]);
        }
        lines.push('\n');
    }
    lines
}
