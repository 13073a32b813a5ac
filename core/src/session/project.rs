//! A whole project as one file: classes, images, settings and what is learned.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::learn::state::{part, prefixed};
use crate::learn::{AdaptSettings, FineTuneSettings, HeadSettings};
use crate::session::store::{StoreError, entry};
use crate::weights::{FileError, Weight, Weights, read_casting};

const KEY: &str = "ibot.project";
const VERSION: u32 = 1;

/// Everything that is needed to go on elsewhere, apart from the model it started from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The images.
    pub images: Vec<ProjectImage>,
    /// The settings.
    pub settings: ProjectSettings,
    /// States of learning, finished or not, under any names.
    pub weights: Weights,
}

/// An image of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectImage {
    /// The name that the user sees, for example that of its file.
    pub name: String,
    /// Its class, counted from 0; `None` without label.
    pub class: Option<usize>,
    /// The encoded image (JPEG, PNG, ...).
    pub bytes: Vec<u8>,
}

/// The settings of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectSettings {
    /// The pre-trained model, as the user chose it.
    pub model: String,
    /// Share of each class's images that only judge.
    pub validation: f64,
    /// Seed of the split.
    pub seed: u64,
    /// How a classifier learns on cached features.
    pub head: HeadSettings,
    /// How the backbone learns classes.
    pub finetune: FineTuneSettings,
    /// How the backbone learns without labels.
    pub adapt: AdaptSettings,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            model: String::new(),
            validation: 0.2,
            seed: 0,
            head: HeadSettings::default(),
            finetune: FineTuneSettings::default(),
            adapt: AdaptSettings::default(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
    classes: Vec<String>,
    images: Vec<ImageEntry>,
    settings: ProjectSettings,
}

/// All of an image but its bytes, which are in `images/<index>`.
#[derive(Serialize, Deserialize)]
struct ImageEntry {
    name: String,
    class: Option<usize>,
}

impl Project {
    /// The project as a safetensors file: the bytes of image *i* in `images/i`, weights behind
    /// `weights/`, all else as JSON in the header.
    ///
    /// # Errors
    /// If an image is of a class without name, or a weight's shape does not fit its values.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        check_classes(
            self.images.iter().map(|image| image.class),
            self.classes.len(),
        )?;
        // Before anything is written: a class without name could not be read back.
        let mut images = Vec::with_capacity(self.images.len());
        let mut views = Vec::new();
        for (index, image) in self.images.iter().enumerate() {
            images.push(ImageEntry {
                name: image.name.clone(),
                class: image.class,
            });
            // A row of bytes: an image stays encoded as it came.
            let shape = vec![image.bytes.len()];
            let view = TensorView::new(Dtype::U8, shape, &image.bytes).map_err(FileError::from)?;
            views.push((tensor_name(index), view));
        }

        let weights: Vec<StoredWeight> = prefixed("weights/", self.weights.clone())
            .map(StoredWeight::new)
            .collect();
        for weight in &weights {
            let view = TensorView::new(Dtype::F32, weight.shape.clone(), &weight.bytes);
            views.push((weight.name.clone(), view.map_err(FileError::from)?));
        }

        let manifest = Manifest {
            version: VERSION,
            classes: self.classes.clone(),
            images,
            settings: self.settings.clone(),
        };
        let manifest = serde_json::to_string(&manifest)
            .map_err(|error| StoreError::Entry { key: KEY, error })?;
        let metadata = HashMap::from([(KEY.to_owned(), manifest)]);
        Ok(safetensors::serialize(views, Some(metadata)).map_err(FileError::from)?)
    }

    /// Reads a file of [`to_bytes`](Self::to_bytes). The bytes may come from anywhere: the result is
    /// a consistent project or an error. Images are not decoded.
    ///
    /// # Errors
    /// If the bytes are no project, or one that contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(FileError::from)?;
        let manifest = header.metadata().as_ref().ok_or(StoreError::NoEntry(KEY))?;
        let Manifest {
            version,
            classes,
            images: entries,
            settings,
        } = entry(manifest, KEY)?;
        if version != VERSION {
            // Another version may mean something else by the same entries.
            return Err(StoreError::Version {
                found: version,
                latest: VERSION,
            });
        }
        // As in writing: the bytes may come from anywhere.
        check_classes(entries.iter().map(|entry| entry.class), classes.len())?;

        let tensors = SafeTensors::deserialize(bytes).map_err(FileError::from)?;
        let mut images = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            let name = tensor_name(index);
            let Ok(view) = tensors.tensor(&name) else {
                return Err(StoreError::Missing(name));
            };
            if view.dtype() != Dtype::U8 || view.shape().len() != 1 {
                return Err(StoreError::Image(index));
            }
            images.push(ProjectImage {
                name: entry.name,
                class: entry.class,
                bytes: view.data().to_vec(),
            });
        }
        let weights = read_casting(bytes, |name| name.starts_with("weights/"))?.weights;
        Ok(Self {
            classes,
            images,
            settings,
            weights: part(&weights, "weights/"),
        })
    }
}

struct StoredWeight {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl StoredWeight {
    fn new((name, weight): (String, Weight)) -> Self {
        let mut bytes = Vec::with_capacity(4 * weight.values.len());
        for value in &weight.values {
            bytes.extend(value.to_le_bytes());
        }
        Self {
            name,
            shape: weight.shape,
            bytes,
        }
    }
}

fn tensor_name(image: usize) -> String {
    format!("images/{image}")
}

fn check_classes(
    labels: impl Iterator<Item = Option<usize>>,
    classes: usize,
) -> Result<(), StoreError> {
    for (image, class) in labels.enumerate() {
        if let Some(class) = class.filter(|class| *class >= classes) {
            return Err(StoreError::Class {
                image,
                class,
                classes,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
