//! A tuned model as a file: a backbone under timm's names, the classifier and its classes beside
//! it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::learn::Classifier;
use crate::model::Backbone;
use crate::session::store::{StoreError, entry};
use crate::weights::{
    ModelHeader, StoredPrecision, Weight, Weights, from_safetensors, timm, to_safetensors,
};

const KEY: &str = "ibot.classifier";

/// The parts of a tuned model beside its backbone.
#[derive(Clone, Debug, PartialEq)]
pub struct TunedModel {
    /// [`Pooling::TUNE`](crate::features::Pooling::TUNE) features to classes.
    pub classifier: Classifier,
    /// The classes' names.
    pub classes: Vec<String>,
    /// Shorter side of the images that the classifier was tuned on, in pixels.
    pub size: usize,
}

/// The entry in the header; the numbers are in `classifier.weight` and `classifier.bias`.
#[derive(Serialize, Deserialize)]
struct ClassifierEntry {
    classes: Vec<String>,
    size: usize,
    /// The classifier's input, for readers in other languages.
    features: String,
}

/// A safetensors file of `backbone` and `model`. It loads like any other weights of this crate:
/// other programs ignore the two extra tensors.
///
/// # Errors
/// If the names are not as many as the classes, or the device fails.
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
    if classes.len() != classifier.classes() {
        return Err(StoreError::Names {
            names: classes.len(),
            classes: classifier.classes(),
        });
    }

    let mut weights = timm(backbone, None).await?;
    let weight = Weight {
        shape: vec![classes.len(), classifier.dim()],
        values: classifier.weight().to_vec(),
    };
    let bias = Weight {
        shape: vec![classes.len()],
        values: classifier.bias().to_vec(),
    };
    weights.insert("classifier.weight".to_owned(), weight);
    weights.insert("classifier.bias".to_owned(), bias);

    let entry = ClassifierEntry {
        classes: classes.clone(),
        size: *size,
        features: "CLS and mean patch of the last block after the norm".to_owned(),
    };
    let mut metadata = header.to_metadata().map_err(|error| StoreError::Entry {
        key: ModelHeader::KEY,
        error,
    })?;
    let json =
        serde_json::to_string(&entry).map_err(|error| StoreError::Entry { key: KEY, error })?;
    metadata.insert(KEY.to_owned(), json);
    Ok(to_safetensors(&weights, metadata, StoredPrecision::F32)?)
}

/// The classifier in a file of [`write_tuned`]; the backbone is read as a
/// [`Checkpoint`](crate::weights::Checkpoint).
///
/// # Errors
/// If the file is damaged, has no classifier, or one that contradicts itself.
pub fn read_tuned(bytes: &[u8]) -> Result<TunedModel, StoreError> {
    let (mut weights, metadata): (Weights, HashMap<String, String>) = from_safetensors(bytes)?;
    let ClassifierEntry { classes, size, .. } = entry(&metadata, KEY)?;
    let weight = take(&mut weights, "classifier.weight")?;
    let bias = take(&mut weights, "classifier.bias")?;
    let &[rows, dim] = &weight.shape[..] else {
        return Err(StoreError::NoMatrix {
            name: "classifier.weight",
            shape: weight.shape,
        });
    };

    // The classifier itself checks that weights and biases agree.
    if rows != classes.len() {
        return Err(StoreError::Names {
            names: classes.len(),
            classes: rows,
        });
    }
    Ok(TunedModel {
        classifier: Classifier::new(dim, weight.values, bias.values)?,
        classes,
        size,
    })
}

fn take(weights: &mut Weights, name: &str) -> Result<Weight, StoreError> {
    weights
        .remove(name)
        .ok_or(StoreError::Missing(name.to_owned()))
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
        assert_eq!(read_tuned(&bytes).expect("its own bytes"), model);
        let checkpoint = Checkpoint::read(&bytes, None).expect("its own bytes");
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
    fn names_and_classes_must_agree_and_files_be_whole() {
        assert!(matches!(
            file(3).1,
            Err(StoreError::Names {
                names: 3,
                classes: 2
            })
        ));
        let bytes = file(2).1.expect("a sound model");
        for end in (0..bytes.len()).step_by(97) {
            assert!(read_tuned(&bytes[..end]).is_err());
        }
        let weights = Weights::from([(
            "a".to_owned(),
            Weight {
                shape: vec![1],
                values: vec![1.0],
            },
        )]);
        let plain =
            to_safetensors(&weights, HashMap::new(), StoredPrecision::F32).expect("one number");
        assert!(matches!(read_tuned(&plain), Err(StoreError::NoEntry(KEY))));
    }
}
