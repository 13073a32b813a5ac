//! The linear classifier by which robustness is measured: the head of the model's file, that of
//! another file, or one fitted to clean images.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Tensor;
use futures_lite::future::block_on;
use ibot_core::eval::judge::{LinearJudge, Logits};
use ibot_core::learn::FeatureSet;

use super::sets::{SetLimits, Sets, Subset};
use super::task::Subject;
use crate::data::Dataset;
use crate::features::{FeatureRows, FeatureStore, PatchMean, Pooling, Readout};
use crate::linear_head::StoredHead;

/// What `--head` takes to fit a head where the model has one.
const FIT: &str = "fit";

/// A linear head on features of images, with what is known of it.
pub struct Judge {
    head: LinearJudge,
    readout: Readout,
    origin: Origin,
}

enum Origin {
    /// The model's file.
    Model,
    File(PathBuf),
    /// It was fitted to so many images of a set.
    Fitted {
        images: usize,
        data: String,
    },
}

impl Judge {
    /// What a fitted head reads: the CLS tokens of the last four blocks, as the paper's ViT-S.
    pub const FITTED_READOUT: Readout = Readout::Pooled(Pooling {
        cls_blocks: 4,
        patch_mean: PatchMean::None,
    });

    /// The judge of `subject`, and the images to judge: `head` is a file, or `fit`; else the head
    /// in the model's file is taken, if it has one. If there is none, a head is fitted to the images
    /// of `subject.data`. A head that was learned for a network says nothing of other features, so
    /// one is always fitted to pixels and for random weights.
    ///
    /// The images to judge are those of `subject.val`. Without them they are all of `subject.data`,
    /// or, if a head is fitted, a part of it to which it is not fitted.
    pub fn choose<'a>(
        head: Option<&Path>,
        subject: &Subject<'a>,
        limits: SetLimits,
    ) -> Result<(Self, Subset<'a>)> {
        let Some(judge) = Self::given(head, subject)? else {
            let sets = Sets::choose(subject.data, subject.val, limits)?;
            let judge = Self::fit(&sets.train, subject.features)?;
            return Ok((judge, sets.val));
        };
        let data = subject.val.unwrap_or(subject.data);
        let images = Subset::labelled_of(data, limits.val.unwrap_or(usize::MAX))?;
        Ok((judge, images))
    }

    /// The head in a file; `None` if one is to be fitted. See [`Self::choose`].
    pub fn given(head: Option<&Path>, subject: &Subject) -> Result<Option<Self>> {
        let Some(heads) = subject.linear_heads else {
            return Ok(None);
        };
        let features = subject.features;
        match head {
            Some(file) if file.as_os_str() == FIT => Ok(None),
            Some(file) => {
                let head = heads.read(file)?;
                let judge = Self::of(&head, Origin::File(file.to_owned()), features);
                Ok(Some(judge?))
            }
            None => {
                let own = heads.own().context("--head fit fits one in its place")?;
                own.map(|head| Self::of(head, Origin::Model, features))
                    .transpose()
            }
        }
    }

    fn of(head: &StoredHead, origin: Origin, features: &FeatureStore) -> Result<Self> {
        let names = head.header.classes.clone();
        Ok(Self {
            head: LinearJudge::new(&head.classifier()?, names, features.device()),
            readout: head.readout(),
            origin,
        })
    }

    /// A head that learns the classes of `train`.
    pub fn fit(train: &Subset, features: &FeatureStore) -> Result<Self> {
        let names = train.data.classes().to_vec();
        let rows = features.rows(Self::FITTED_READOUT, train.data, &train.indices)?;
        let labels = train.labels_of(&rows.indices);
        let labelled = rows.values.chunks_exact(rows.width).zip(labels);

        let set = FeatureSet::new(rows.width, names.len(), labelled);
        let set = set.context("a linear head for the images to learn from")?;
        Ok(Self {
            head: LinearJudge::fit(&set, names, features.device())?,
            readout: Self::FITTED_READOUT,
            origin: Origin::Fitted {
                images: rows.indices.len(),
                data: train.data.description(),
            },
        })
    }

    pub fn readout(&self) -> Readout {
        self.readout
    }

    pub fn is_fitted(&self) -> bool {
        matches!(self.origin, Origin::Fitted { .. })
    }

    pub fn classes(&self) -> usize {
        self.head.classes()
    }

    /// Which of its classes each class of `data` is.
    pub fn places_of(&self, data: &Dataset) -> Result<Vec<usize>> {
        let places = self.head.places_of(data.classes());
        places.with_context(|| {
            format!(
                "{}: give a head of these classes as --head FILE, or --head {FIT} to fit one",
                data.description()
            )
        })
    }

    /// The logits of features `[N, D]`, in its classes.
    pub fn logits(&self, features: Tensor<2>) -> Result<Logits> {
        Ok(block_on(self.head.logits(features))?)
    }

    pub fn predictions(&self, rows: FeatureRows, features: &FeatureStore) -> Result<Vec<usize>> {
        Ok(self.logits(rows.tensor(features.device()))?.predictions())
    }

    /// Numbers of images by their role, for the result: those that the head was fitted to, if it
    /// was, and so many that it judges.
    pub fn roles(&self, judged: usize) -> Vec<(&'static str, usize)> {
        match &self.origin {
            Origin::Fitted { images, .. } => vec![("fitted", *images), ("judged", judged)],
            _ => vec![("judged", judged)],
        }
    }

    /// What it is, for people.
    pub fn line(&self) -> String {
        let classes = self.classes();
        match &self.origin {
            Origin::Model => format!("linear head of the model's file, {classes} classes"),
            Origin::File(file) => format!("linear head {}, {classes} classes", file.display()),
            Origin::Fitted { images, data } => {
                format!("linear head fitted to {images} images of {data}")
            }
        }
    }
}

/// The share of `found` that is `expected`; both are classes of images.
pub fn accuracy(found: &[usize], expected: &[usize]) -> Result<f64> {
    ensure!(
        !expected.is_empty() && found.len() == expected.len(),
        "an accuracy needs a class for each of at least one image"
    );
    let right = found.iter().zip(expected).filter(|(a, b)| a == b).count();
    Ok(right as f64 / expected.len() as f64)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::features::{Encoder, EvalView};

    #[test]
    fn a_head_is_fitted_where_none_can_be_given_and_judges_other_images() {
        let data = Dataset::open("builtin:val").expect("builtin images");
        let view = EvalView {
            size: 16,
            resize_ratio: 1.0,
        };
        let features = FeatureStore::new(Encoder::Pixels, view, &[Device::flex()]);
        let features = features.expect("a store");
        let subject = Subject {
            features: &features,
            head: None,
            linear_heads: None,
            data: &data,
            val: None,
        };

        let limits = SetLimits {
            train: Some(300),
            val: Some(100),
        };
        let absent = Path::new("absent.safetensors");
        let (judge, images) = Judge::choose(Some(absent), &subject, limits).expect("a judge");
        assert_eq!(judge.roles(100), [("fitted", 300), ("judged", 100)]);
        assert!(judge.line().contains("fitted to 300 images"));
        assert_eq!(
            judge.places_of(&data).expect("classes"),
            Vec::from_iter(0..10)
        );

        let rows = features.rows(judge.readout(), &data, &images.indices);
        let labels = images.labels_of(&images.indices);
        let found = judge.predictions(rows.expect("pixels"), &features);
        let share = accuracy(&found.expect("classes"), &labels).expect("images");
        // Ten classes.
        assert!((0.3..0.99).contains(&share), "{share}");
    }
}
