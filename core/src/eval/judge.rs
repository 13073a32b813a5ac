//! The linear classifier by which robustness is measured, and its classes beside those of a set.

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};

use super::imagenet;
use crate::learn::{Classifier, FeatureSet, HeadSettings, LinearHead, TuneError, most_likely};

/// Rows that are multiplied at a time.
const BLOCK: usize = 4096;
// Images are to be told apart as well as a linear layer can, so the weights are hardly held back.
const SETTINGS: HeadSettings = HeadSettings {
    weight_decay: 1e-4,
    steps: 300,
};

/// A linear layer from features to the logits of classes.
#[derive(Clone, Debug)]
pub struct LinearJudge {
    /// `[D, K]`.
    weight: Tensor<2>,
    /// `[1, K]`.
    bias: Tensor<2>,
    /// The names of the classes; empty if they only have numbers.
    names: Vec<String>,
}

/// The logits of images, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    classes: usize,
    /// Row-major `[N, K]`.
    values: Vec<f32>,
}

/// A class of a set that a head does not know.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the linear head does not know the class `{class}`: it has {head} classes{named}, the images have {data}"
)]
pub struct UnknownClass {
    /// The first class that it does not know.
    pub class: String,
    /// Number of classes of the head.
    pub head: usize,
    /// Number of classes of the set.
    pub data: usize,
    /// How the head's classes are named, as a clause.
    pub named: String,
}

impl LinearJudge {
    /// The judge that computes what `classifier` does, on `device`. `names` are those of its
    /// classes, or empty.
    pub fn new(classifier: &Classifier, names: Vec<String>, device: &Device) -> Self {
        let (classes, dim) = (classifier.classes(), classifier.dim());
        let weight = TensorData::new(classifier.weight().to_vec(), [classes, dim]);
        let bias = TensorData::new(classifier.bias().to_vec(), [1, classes]);
        Self {
            weight: Tensor::<2>::from_data(weight, device).transpose(),
            bias: Tensor::from_data(bias, device),
            names,
        }
    }

    /// A softmax regression on standardised features. `names` are those of the classes.
    ///
    /// # Errors
    /// None in practice: the settings are sound.
    pub fn fit(set: &FeatureSet, names: Vec<String>, device: &Device) -> Result<Self, TuneError> {
        let mut head = LinearHead::new(set, SETTINGS)?;
        for _ in 0..SETTINGS.steps {
            head.step();
        }
        Ok(Self::new(&head.classifier(), names, device))
    }

    /// Width of a feature.
    pub fn dim(&self) -> usize {
        self.weight.dims()[0]
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.weight.dims()[1]
    }

    /// The logits of features `[N, D]`.
    ///
    /// # Errors
    /// If the features are of another width, or the device fails.
    pub async fn logits(&self, features: Tensor<2>) -> Result<Logits, TuneError> {
        let [images, width] = features.dims();
        if width != self.dim() {
            return Err(TuneError::Width {
                expected: self.dim(),
                actual: width,
            });
        }

        let mut values = Vec::with_capacity(images * self.classes());
        for first in (0..images).step_by(BLOCK) {
            let end = images.min(first + BLOCK);
            let rows = features.clone().narrow(0, first, end - first);
            let logits = rows.matmul(self.weight.clone()) + self.bias.clone();
            values.extend(host(logits).await?);
        }
        Ok(Logits {
            classes: self.classes(),
            values,
        })
    }

    /// Which of the judge's classes each of `classes` is.
    ///
    /// Names are compared where the judge has names. A judge of ImageNet's 1000 classes whose names
    /// are not WordNet's numbers (or that has none) is taken to have the usual order, in which these
    /// numbers rise. Without names the classes are the same if there are as many, or if all of
    /// `classes` are numbers.
    ///
    /// # Errors
    /// If the judge does not know a class.
    pub fn places_of(&self, classes: &[String]) -> Result<Vec<usize>, UnknownClass> {
        let count = self.classes();
        if self.names.is_empty() && count == classes.len() {
            return Ok((0..count).collect());
        }

        let by_name = |class: &String| self.names.iter().position(|name| name == class);
        let as_wnid =
            |class: &String| imagenet::place(class).filter(|_| count == imagenet::CLASSES);
        let as_number = |class: &String| {
            let number = class.parse().ok().filter(|number| *number < count);
            number.filter(|_| self.names.is_empty())
        };
        let all_by_name: Option<Vec<usize>> = classes.iter().map(by_name).collect();
        let places = all_by_name
            .or_else(|| classes.iter().map(as_wnid).collect())
            .or_else(|| classes.iter().map(as_number).collect());
        if let Some(places) = places {
            return Ok(places);
        }

        let unknown = classes.iter().find(|class| by_name(class).is_none());
        Err(UnknownClass {
            class: unknown.cloned().unwrap_or_default(),
            head: count,
            data: classes.len(),
            named: match self.names.first() {
                Some(first) => format!(", the first is `{first}`"),
                None => " without names".to_owned(),
            },
        })
    }
}

async fn host(tensor: Tensor<2>) -> Result<Vec<f32>, ExecutionError> {
    let data = tensor.into_data_async().await?;
    Ok(data.iter::<f32>().collect())
}

impl Logits {
    /// Logits of images, `[N, K]` with K = `classes`.
    pub fn new(classes: usize, values: Vec<f32>) -> Self {
        Self { classes, values }
    }

    /// The logits of each image.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.classes.max(1))
    }

    /// The class with the largest logit for each image; of equal ones the first.
    pub fn predictions(&self) -> Vec<usize> {
        self.rows().map(most_likely).collect()
    }

    /// The logits of the classes `places` alone, in their order.
    pub fn among(&self, places: &[usize]) -> Self {
        let mut values = Vec::with_capacity(places.len() * self.rows().len());
        for row in self.rows() {
            values.extend(places.iter().map(|place| row[*place]));
        }
        Self::new(places.len(), values)
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::test;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn judge(count: usize, own: &[&str]) -> LinearJudge {
        LinearJudge::new(&Classifier::zeros(2, count), names(own), &Device::flex())
    }

    #[test]
    fn logits_are_those_of_the_classifier() {
        let weight = vec![1.0, 0.0, 0.0, 2.0, -1.0, 1.0];
        let classifier = Classifier::new(2, weight, vec![0.5, 0.0, 1.0]).expect("3 x 2");
        let judge = LinearJudge::new(&classifier, Vec::new(), &Device::flex());
        let features = Tensor::<2>::from_data([[1.0, 2.0], [-3.0, 0.25]], &Device::flex());
        let logits = block_on(judge.logits(features)).expect("two rows");

        let expected: Vec<f32> = [[1.0, 2.0], [-3.0, 0.25]]
            .iter()
            .flat_map(|row| classifier.logits(row).expect("width 2"))
            .collect();
        assert_eq!(logits, Logits::new(3, expected));
        assert_eq!(logits.predictions(), [1, 2]);
        assert_eq!(logits.among(&[2, 0]).predictions(), [0, 0]);

        let narrow = Tensor::<2>::from_data([[1.0]], &Device::flex());
        assert!(block_on(judge.logits(narrow)).is_err());
    }

    #[test]
    fn a_fitted_judge_knows_what_it_learned_from() {
        let rows: Vec<[f32; 2]> = (0..60)
            .map(|i| [(i % 3) as f32 + 0.01 * i as f32, -((i % 3) as f32)])
            .collect();
        let labelled = rows.iter().enumerate().map(|(i, row)| (&row[..], i % 3));
        let set = FeatureSet::new(2, 3, labelled).expect("features");
        let judge = LinearJudge::fit(&set, names(&["a", "b", "c"]), &Device::flex());
        let judge = judge.expect("sound settings");

        let flat = TensorData::new(rows.concat(), [60, 2]);
        let logits = block_on(judge.logits(Tensor::from_data(flat, &Device::flex())));
        let right: Vec<usize> = (0..60).map(|i| i % 3).collect();
        assert_eq!(logits.expect("rows").predictions(), right);
    }

    #[test]
    fn classes_are_found_by_name_by_number_or_in_the_order_of_imagenet() {
        let by_name = judge(3, &["cat", "dog", "fish"]);
        assert_eq!(by_name.places_of(&names(&["fish", "cat"])), Ok(vec![2, 0]));
        let error = by_name.places_of(&names(&["cat", "cow"]));
        let message = error.expect_err("no cow").to_string();
        assert!(
            message.contains("`cow`") && message.contains("`cat`"),
            "{message}"
        );

        let nameless = judge(12, &[]);
        assert_eq!(nameless.places_of(&names(&["11", "2"])), Ok(vec![11, 2]));
        assert!(nameless.places_of(&names(&["12"])).is_err());
        let dozen: Vec<String> = (0..12).map(|i| format!("class {i}")).collect();
        assert_eq!(nameless.places_of(&dozen), Ok((0..12).collect()));

        let wnids = names(&["n01440764", "n15075141"]);
        assert_eq!(judge(1000, &[]).places_of(&wnids), Ok(vec![0, 999]));
        assert!(judge(999, &[]).places_of(&wnids).is_err());
    }
}
