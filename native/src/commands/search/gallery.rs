//! What is searched: images, or a file of their features.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ibot_core::eval::retrieval::normalize;
use ibot_core::image::RgbImage;

use crate::commands::images::load_one;
use crate::data::Dataset;
use crate::features::{FeatureStore, Readout, SavedFeatures};

/// Images with their features, which have length 1.
pub struct Gallery {
    pub names: Vec<String>,
    /// Numbers of a feature.
    pub width: usize,
    pub values: Vec<f32>,
    pictures: Pictures,
}

/// Where images are found by their names.
enum Pictures {
    Of(Dataset, HashMap<String, usize>),
    /// Files in the working folder, or else in this one; or images of a dataset by number.
    Near(PathBuf),
}

impl Gallery {
    /// The features in `file`, whose images are those of `images`, or files near it.
    pub fn saved(file: &Path, images: Option<&str>) -> Result<Self> {
        let SavedFeatures {
            names,
            width,
            mut values,
        } = SavedFeatures::read(file)?;
        // Files keep features as the network gave them.
        normalize(&mut values, width);
        let pictures = match images {
            Some(images) => Pictures::of(Dataset::open(images).context("--images")?),
            None => Pictures::Near(file.parent().unwrap_or(Path::new("")).to_owned()),
        };
        Ok(Self {
            names,
            width,
            values,
            pictures,
        })
    }

    /// What `readout` reads from at most `limit` images of `data`.
    pub fn of(
        data: Dataset,
        limit: usize,
        readout: Readout,
        features: &FeatureStore,
    ) -> Result<Self> {
        let indices = data.subset(limit, 0);
        ensure!(!indices.is_empty(), "--limit 0 leaves nothing to search");
        let mut rows = features.rows(readout, &data, &indices)?;
        normalize(&mut rows.values, rows.width);
        let names = rows
            .indices
            .iter()
            .map(|index| data.name(*index).into_owned());
        Ok(Self {
            names: names.collect(),
            width: rows.width,
            values: rows.values,
            pictures: Pictures::of(data),
        })
    }

    /// Image `index`, if it is found.
    pub fn picture(&self, index: usize) -> Option<RgbImage> {
        let name = &self.names[index];
        match &self.pictures {
            Pictures::Of(data, places) => data.load(*places.get(name)?).ok(),
            Pictures::Near(folder) => {
                let beside = folder.join(name);
                // First as the name stands, then beside the file of features.
                load_one(name)
                    .or_else(|_| load_one(&beside.to_string_lossy()))
                    .ok()
            }
        }
    }
}

impl Pictures {
    fn of(data: Dataset) -> Self {
        let mut places = HashMap::new();
        for index in 0..data.len() {
            places.insert(data.name(index).into_owned(), index);
        }
        Self::Of(data, places)
    }
}
