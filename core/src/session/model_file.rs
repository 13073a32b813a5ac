//! A tuned model as a file: a backbone and its classifier, in the form of every linear head.

use crate::features::{PatchMean, Pooling};
use crate::learn::Classifier;
use crate::model::Backbone;
use crate::session::store::StoreError;
use crate::weights::{
    HeadHeader, HeadTensors, ModelHeader, StoredPrecision, Weight, timm, to_safetensors,
};

/// The parts of a tuned model beside its backbone.
#[derive(Clone, Debug, PartialEq)]
pub struct TunedModel {
    /// [`Pooling::TUNE`] features to classes.
    pub classifier: Classifier,
    /// The classes' names.
    pub classes: Vec<String>,
    /// Shorter side of the images that the classifier was tuned on, in pixels.
    pub size: usize,
}

/// A safetensors file of `backbone` and `model`, with the names of the classes and what the
/// classifier reads in a [`HeadHeader`]. It loads like any other weights of this crate.
///
/// # Errors
/// If the classifier is none of [`Pooling::TUNE`] features of this backbone, if the names are not
/// as many as the classes, or if the device fails.
pub async fn write_tuned(
    backbone: &Backbone,
    header: &ModelHeader,
    model: &TunedModel,
) -> Result<Vec<u8>, StoreError> {
    let TunedModel {
        classifier,
        classes,
        size,
    } = model;
    let weight = Weight {
        shape: vec![classifier.classes(), classifier.dim()],
        values: classifier.weight().to_vec(),
    };
    let bias = Weight {
        shape: vec![classifier.classes()],
        values: classifier.bias().to_vec(),
    };
    let head = HeadTensors::new("classifier", weight, bias)?;
    let described = HeadHeader {
        classes: classes.clone(),
        cls_blocks: Pooling::TUNE.cls_blocks,
        patch_mean: Pooling::TUNE.patch_mean == PatchMean::Normed,
        size: *size,
        // They are shown whole, at this size.
        resize: 1.0,
    };
    described.check(&head, &header.backbone)?;

    let mut metadata = header.to_metadata().map_err(|error| StoreError::Entry {
        key: ModelHeader::KEY,
        error,
    })?;
    let json = serde_json::to_string(&described).map_err(|error| StoreError::Entry {
        key: HeadHeader::KEY,
        error,
    })?;
    metadata.insert(HeadHeader::KEY.to_owned(), json);

    let mut weights = timm(backbone, None).await?;
    weights.extend(head.beside_backbone(&described));
    Ok(to_safetensors(&weights, metadata, StoredPrecision::F32)?)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use futures_lite::future::block_on;

    use super::*;
    use crate::rng::{Purpose, stream};
    use crate::testing::{small_backbone, test};
    use crate::weights::{Checkpoint, read};

    fn file(classes: usize) -> (Backbone, Result<Vec<u8>, StoreError>, TunedModel) {
        let config = small_backbone().with_mask_token(false);
        let backbone = config.init(&Device::flex(), &mut stream(2, Purpose::Init, 0, 0));
        let weight = (0..64).map(|i| i as f32).collect();
        let model = TunedModel {
            classifier: Classifier::new(32, weight, vec![0.5, -0.5]).expect("2 x 32"),
            classes: ["cat", "Ж \"dog\"", "third"][..classes]
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            size: 48,
        };
        let header = ModelHeader {
            backbone: config,
            eval_resize: 1.0,
            step: 7,
        };
        let bytes = block_on(write_tuned(&backbone, &header, &model));
        (backbone, bytes, model)
    }

    #[test]
    fn a_tuned_model_loads_as_backbone_and_as_classifier() {
        let (backbone, bytes, model) = file(2);
        let bytes = bytes.expect("a sound model");
        let checkpoint = Checkpoint::read(&bytes, None).expect("its own bytes");
        let head = checkpoint.linear_head().expect("sound").expect("a head");
        assert_eq!(head.weight(), model.classifier.weight());
        assert_eq!(head.bias(), model.classifier.bias());
        let header = checkpoint.head_header().expect("sound").expect("a header");
        assert_eq!((header.classes, header.size), (model.classes, 48));

        let config = checkpoint.config(None).expect("heads are in the header");
        let (again, report) = checkpoint
            .backbone(&config, false, &Device::flex())
            .expect("whole");
        assert_eq!(
            block_on(read(&again)).expect("flex"),
            block_on(read(&backbone)).expect("flex")
        );
        assert_eq!(report.unused, ["classifier.bias", "classifier.weight"]);
    }

    #[test]
    fn names_and_classes_must_agree() {
        let message = file(3).1.expect_err("three names").to_string();
        assert!(message.contains("3 names for the 2 classes"), "{message}");
    }
}
