//! The images that are learned from, and what the pre-trained backbone makes of them.

use std::collections::BTreeMap;

use burn::tensor::Device;
use ibot_core::features::{Pooling, feature};
use ibot_core::image::RgbImage;
use ibot_core::learn::FeatureSet;

use super::super::model::Model;
use super::super::problem::Problem;
use ibot_web::protocol::ExampleLabel;

/// Images by their number.
#[derive(Default)]
pub struct Examples(BTreeMap<u32, Example>);

struct Example {
    image: RgbImage,
    /// Of the loaded model.
    feature: Option<Vec<f32>>,
}

impl Examples {
    /// Takes an image.
    pub async fn add(
        &mut self,
        id: u32,
        image: RgbImage,
        model: &Model,
        device: &Device,
    ) -> Result<(), Problem> {
        let feature = Some(feature(&model.backbone, &image, shown(model), device).await?);
        self.0.insert(id, Example { image, feature });
        Ok(())
    }

    /// Gives an image up.
    pub fn remove(&mut self, id: u32) {
        self.0.remove(&id);
    }

    /// Forgets what a model made of the images.
    pub fn forget_features(&mut self) {
        self.0
            .values_mut()
            .for_each(|example| example.feature = None);
    }

    /// Computes the features that are missing.
    pub async fn complete(&mut self, model: &Model, device: &Device) -> Result<(), Problem> {
        for Example { image, feature } in self
            .0
            .values_mut()
            .filter(|example| example.feature.is_none())
        {
            *feature = Some(self::feature(&model.backbone, image, shown(model), device).await?);
        }
        Ok(())
    }

    /// The pixels of an image.
    pub fn image(&self, id: u32) -> Result<&RgbImage, Problem> {
        Ok(&self.0.get(&id).ok_or(Problem::NoExample(id))?.image)
    }

    /// The feature of an image.
    pub fn feature(&self, id: u32) -> Result<&[f32], Problem> {
        self.0
            .get(&id)
            .and_then(|example| example.feature.as_deref())
            .ok_or(Problem::NoExample(id))
    }

    /// Features to learn classes from.
    pub fn set(
        &self,
        labels: &[ExampleLabel],
        classes: usize,
        model: &Model,
    ) -> Result<FeatureSet, Problem> {
        let features = labels
            .iter()
            .map(|label| Ok((self.feature(label.id)?, label.class)));
        let features = features.collect::<Result<Vec<_>, Problem>>()?;
        Ok(FeatureSet::new(
            Pooling::TUNE.width(&model.backbone),
            classes,
            features,
        )?)
    }
}

/// The shorter side of images as the network is shown them, in pixels.
pub fn shown(model: &Model) -> usize {
    model.header.backbone.image_size()
}
