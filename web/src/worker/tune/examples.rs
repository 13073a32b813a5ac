//! The images to learn from, with their features by the pre-trained backbone.

use std::collections::BTreeMap;

use ibot_core::features::{Pooling, feature};
use ibot_core::image::RgbImage;
use ibot_core::learn::FeatureSet;

use crate::worker::model::LoadedModel;
use crate::worker::problem::Problem;
use ibot_web::protocol::ExampleLabel;

#[derive(Default)]
pub struct Examples(BTreeMap<u32, StoredExample>);

struct StoredExample {
    image: RgbImage,
    /// `None` until the loaded model has encoded the image.
    feature: Option<Vec<f32>>,
}

impl Examples {
    pub async fn add(
        &mut self,
        id: u32,
        image: RgbImage,
        model: &LoadedModel,
    ) -> Result<(), Problem> {
        let feature = Some(encode(&image, model).await?);
        self.0.insert(id, StoredExample { image, feature });
        Ok(())
    }

    pub fn remove(&mut self, id: u32) {
        self.0.remove(&id);
    }

    pub fn forget_features(&mut self) {
        for example in self.0.values_mut() {
            example.feature = None;
        }
    }

    pub async fn complete(&mut self, model: &LoadedModel) -> Result<(), Problem> {
        for example in self.0.values_mut() {
            if example.feature.is_none() {
                example.feature = Some(encode(&example.image, model).await?);
            }
        }
        Ok(())
    }

    pub fn image(&self, id: u32) -> Result<&RgbImage, Problem> {
        let example = self.0.get(&id).ok_or(Problem::NoExample(id))?;
        Ok(&example.image)
    }

    pub fn feature(&self, id: u32) -> Result<&[f32], Problem> {
        let example = self.0.get(&id).ok_or(Problem::NoExample(id))?;
        example.feature.as_deref().ok_or(Problem::NoExample(id))
    }

    pub fn set(
        &self,
        labels: &[ExampleLabel],
        classes: usize,
        model: &LoadedModel,
    ) -> Result<FeatureSet, Problem> {
        let mut features = Vec::with_capacity(labels.len());
        for label in labels {
            features.push((self.feature(label.id)?, label.class));
        }
        let width = Pooling::TUNE.width(&model.backbone);
        Ok(FeatureSet::new(width, classes, features)?)
    }
}

async fn encode(image: &RgbImage, model: &LoadedModel) -> Result<Vec<f32>, Problem> {
    let size = model.image_size();
    Ok(feature(&model.backbone, image, size, &model.device).await?)
}
