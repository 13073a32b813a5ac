//! Features of labelled images, checked once.

use crate::learn::TuneError;

/// Features and classes of N images; at least one image, at least two classes, and all values
/// finite.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSet {
    dim: usize,
    classes: usize,
    values: Vec<f32>,
    labels: Vec<usize>,
}

impl FeatureSet {
    /// Features of width `dim`, each with its label below `classes`.
    ///
    /// # Errors
    /// If there are no features or fewer than two classes, or a feature or a label is not one of
    /// them.
    pub fn new<'a>(
        dim: usize,
        classes: usize,
        features: impl IntoIterator<Item = (&'a [f32], usize)>,
    ) -> Result<Self, TuneError> {
        if classes < 2 {
            return Err(TuneError::Classes(classes));
        }

        let mut values = Vec::new();
        let mut labels = Vec::new();
        for (image, (feature, label)) in features.into_iter().enumerate() {
            if feature.len() != dim {
                return Err(TuneError::Width {
                    expected: dim,
                    actual: feature.len(),
                });
            }
            if label >= classes {
                return Err(TuneError::Label {
                    image,
                    label,
                    classes,
                });
            }
            // One value that is not finite would make all weights so.
            if feature.iter().any(|value| !value.is_finite()) {
                return Err(TuneError::NotFinite(image));
            }
            values.extend_from_slice(feature);
            labels.push(label);
        }

        if values.is_empty() {
            return Err(TuneError::Empty);
        }
        Ok(Self {
            dim,
            classes,
            values,
            labels,
        })
    }

    /// Width D of a feature.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The features in order, `[N, D]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The features one by one.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// The class of each feature.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn what_cannot_be_learned_from_is_named() {
        let set = |classes, features: &[(&[f32], usize)]| {
            FeatureSet::new(2, classes, features.iter().copied())
        };
        assert!(matches!(
            set(1, &[(&[0.0, 1.0], 0)]),
            Err(TuneError::Classes(1))
        ));
        assert!(matches!(set(2, &[]), Err(TuneError::Empty)));
        assert!(matches!(
            set(2, &[(&[0.0], 0)]),
            Err(TuneError::Width {
                expected: 2,
                actual: 1
            })
        ));
        assert!(matches!(
            set(2, &[(&[0.0; 2], 0), (&[0.0; 2], 2)]),
            Err(TuneError::Label {
                image: 1,
                label: 2,
                ..
            })
        ));
        assert!(matches!(
            set(2, &[(&[0.0, f32::NAN], 0)]),
            Err(TuneError::NotFinite(0))
        ));
        assert_eq!(
            set(2, &[(&[0.0, 1.0], 1)])
                .expect("a sound feature")
                .labels(),
            [1]
        );
        assert!(matches!(
            FeatureSet::new(0, 2, [(&[][..], 0)]),
            Err(TuneError::Empty)
        ));
    }
}
