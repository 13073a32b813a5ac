//! Where images with other backgrounds are: in the official layout of IN-9, or painted.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use ibot_core::eval::backgrounds::Variant;

use crate::data::Dataset;
use crate::features::npy;

const MASKS: &str = "fg_mask";
/// Folder below each variant.
const PART: &str = "val";

/// A set whose images can be had with other backgrounds.
pub enum BackgroundSets<'a> {
    /// The folder `bg_challenge`.
    Official(PathBuf),
    /// Scenes that are painted anew.
    Painted(&'a Dataset),
}

/// The images that `spec` names; of the official folder those of its variant `original`.
pub fn open(spec: &str) -> Result<Dataset> {
    let original = folder(Path::new(spec), Variant::Original);
    match original.is_dir() {
        true => Ok(Dataset::open(&original.display().to_string())?),
        false => Ok(Dataset::open(spec)?),
    }
}

fn folder(root: &Path, variant: Variant) -> PathBuf {
    root.join(variant.name()).join(PART)
}

impl<'a> BackgroundSets<'a> {
    /// What is known of the backgrounds of `data`, which [`open`] has opened.
    pub fn of(data: &'a Dataset) -> Result<Self> {
        if data.with_background(Variant::Original).is_some() {
            return Ok(Self::Painted(data));
        }
        // The set is opened at original/val, two folders below the root that all variants share.
        let root = data.place().parent().and_then(Path::parent);
        match root {
            Some(root) if folder(root, Variant::Original) == data.place() => {
                Ok(Self::Official(root.to_owned()))
            }
            _ => bail!(
                "{} has no images with other backgrounds: give the folder bg_challenge of IN-9, with original/val/NN_name/* and so on, or builtin scenes",
                data.description()
            ),
        }
    }

    pub fn is_official(&self) -> bool {
        matches!(self, Self::Official(_))
    }

    pub fn open(&self, variant: Variant) -> Result<Dataset> {
        match self {
            Self::Official(root) => {
                let folder = folder(root, variant);
                Ok(Dataset::open(&folder.display().to_string())?)
            }
            Self::Painted(data) => data
                .with_background(variant)
                .context("these images have no other backgrounds"),
        }
    }

    /// The pixels of the object in image `index` of the `originals`, row by row.
    pub fn mask(&self, originals: &Dataset, index: usize) -> Result<Vec<bool>> {
        match self {
            Self::Official(root) => {
                let name = originals.name(index).into_owned();
                let file = root.join(MASKS).join(PART).join(name).with_extension("npy");
                read_mask(&file).with_context(|| format!("mask {}", file.display()))
            }
            Self::Painted(data) => {
                let parts = data.mask(index)?;
                Ok(parts.cells().iter().map(|part| *part > 0).collect())
            }
        }
    }
}

fn read_mask(file: &Path) -> Result<Vec<bool>> {
    let (shape, values) = npy::read(&fs::read(file)?)?;
    ensure!(
        shape.len() == 2,
        "a mask has two dimensions, height and width, not the shape {shape:?}"
    );
    Ok(values.iter().map(|value| *value > 0.5).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_planes_of_truth_values() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mask.npy");
        let write = |shape: &[usize], values: &[f32]| {
            fs::write(&file, npy::write(shape, values)).expect("writable");
        };
        write(&[1, 3], &[0.0, 1.0, 1.0]);
        assert_eq!(read_mask(&file).expect("a mask"), [false, true, true]);
        write(&[3], &[0.0, 1.0, 1.0]);
        assert!(read_mask(&file).is_err());
        fs::write(&file, "no array").expect("writable");
        assert!(read_mask(&file).is_err());
    }
}
