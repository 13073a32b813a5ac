//! The classes that a head chooses among, and its answers.

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use ibot_core::eval::imagenet;
use ibot_core::eval::shift::{ImageNetSubset, answers};
use ibot_core::metrics::calibration::Answer;
use serde::{Deserialize, Serialize};

use super::super::judge::Judge;
use super::super::sets::{Subset, spread};
use crate::data::Dataset;
use crate::features::FeatureStore;

/// Classes to choose among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Among {
    /// The 200 of ImageNet-A.
    ImagenetA,
    /// The 200 of ImageNet-R.
    ImagenetR,
    /// Those of the images.
    Images,
}

/// The classes that an answer can have.
pub struct Choice {
    /// Places among the classes of the head.
    places: Vec<usize>,
    /// What they are, for people.
    pub name: String,
}

/// What was found on a set of images.
pub struct Found {
    pub answers: Vec<Answer>,
}

impl Choice {
    /// The classes that answers to the images of `data` can have.
    pub fn of(among: Option<Among>, judge: &Judge, data: &Dataset) -> Result<Self> {
        let own = judge.places_of(data)?;
        let is_imagenet = judge.classes() == imagenet::CLASSES;
        // Folders order classes by name, ImageNet by its own numbers.
        let mut sorted = own.clone();
        sorted.sort_unstable();
        let recognised = ImageNetSubset::ALL
            .into_iter()
            .find(|subset| is_imagenet && sorted == subset.places());

        let subset = match among {
            None => recognised,
            Some(Among::ImagenetA) => Some(ImageNetSubset::A),
            Some(Among::ImagenetR) => Some(ImageNetSubset::R),
            Some(Among::Images) => None,
        };
        let Some(subset) = subset else {
            return Ok(Self {
                name: format!("the {} classes of the images", own.len()),
                places: own,
            });
        };
        let name = subset.name();
        ensure!(
            is_imagenet,
            "the classes of {name} are 200 of ImageNet's 1000, the head has {}: leave --among out, or give an ImageNet head",
            judge.classes()
        );
        for (place, class) in own.iter().zip(data.classes()) {
            ensure!(
                subset.places().contains(place),
                "{}: the class `{class}` is none of {name}; leave --among out to choose among the classes of the images",
                data.description()
            );
        }
        Ok(Self {
            places: subset.places().to_vec(),
            name: format!("the 200 classes of {name}"),
        })
    }

    /// The answers to `images`, whose classes are all among these.
    pub fn found(&self, judge: &Judge, images: &Subset, features: &FeatureStore) -> Result<Found> {
        let own = judge.places_of(images.data)?;
        let rows = features.rows(judge.readout(), images.data, &images.indices)?;
        let mut labels = Vec::with_capacity(rows.indices.len());
        for class in images.labels_of(&rows.indices) {
            let among = self.places.iter().position(|place| *place == own[class]);
            match among {
                Some(among) => labels.push(among),
                None => bail!("class {class} is none of {}", self.name),
            }
        }
        let logits = judge.logits(rows.tensor(features.device()))?;
        Ok(Found {
            answers: answers(&logits, &self.places, &labels),
        })
    }

    /// The answers to those of the `clean` images that have one of these classes; `None` without
    /// such images.
    pub fn clean(
        &self,
        judge: &Judge,
        clean: &Subset,
        limit: usize,
        features: &FeatureStore,
    ) -> Result<Option<Found>> {
        let own = judge.places_of(clean.data)?;
        let mut matching = clean.indices.clone();
        matching.retain(|image| {
            let class = clean.data.label(*image);
            class.is_some_and(|class| self.places.contains(&own[class]))
        });
        if matching.is_empty() {
            return Ok(None);
        }
        let images = Subset {
            data: clean.data,
            indices: spread(&matching, limit),
        };
        self.found(judge, &images, features).map(Some)
    }
}

impl Found {
    pub fn top1(&self) -> f64 {
        let right = self.answers.iter().filter(|answer| answer.is_right).count();
        right as f64 / self.answers.len().max(1) as f64
    }
}
