//! A linear classifier on the host: what every mode ends with.

use crate::learn::TuneError;

/// Class probabilities from features by one linear layer and a softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    dim: usize,
    /// `[classes, dim]`.
    weight: Vec<f32>,
    /// `[classes]`.
    bias: Vec<f32>,
}

impl Classifier {
    /// A classifier from its `weight` (`[classes, dim]`, row-major) and `bias` (`[classes]`).
    ///
    /// # Errors
    /// If the numbers of values do not fit one another.
    pub fn new(dim: usize, weight: Vec<f32>, bias: Vec<f32>) -> Result<Self, TuneError> {
        // The product of two lengths from a file may overflow.
        if dim.checked_mul(bias.len()) != Some(weight.len()) {
            return Err(TuneError::Width {
                expected: dim,
                actual: weight.len(),
            });
        }
        Ok(Self { dim, weight, bias })
    }

    /// A classifier that finds all classes equally likely.
    pub fn zeros(dim: usize, classes: usize) -> Self {
        Self {
            dim,
            weight: vec![0.0; dim * classes],
            bias: vec![0.0; classes],
        }
    }

    /// Width of a feature.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// `[classes, dim]`, row-major.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// `[classes]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// The probability of each class.
    ///
    /// # Errors
    /// If the feature is of another width.
    pub fn predict(&self, feature: &[f32]) -> Result<Vec<f32>, TuneError> {
        let mut probabilities = self.logits(feature)?;
        softmax(&mut probabilities);
        Ok(probabilities)
    }

    /// The logit of each class.
    ///
    /// # Errors
    /// If the feature is of another width.
    pub fn logits(&self, feature: &[f32]) -> Result<Vec<f32>, TuneError> {
        if feature.len() != self.dim {
            return Err(TuneError::Width {
                expected: self.dim,
                actual: feature.len(),
            });
        }
        let mut logits = self.bias.clone();
        for (class, logit) in logits.iter_mut().enumerate() {
            let row = &self.weight[class * self.dim..][..self.dim];
            *logit += row.iter().zip(feature).map(|(w, x)| w * x).sum::<f32>();
        }
        Ok(logits)
    }
}

pub(super) fn softmax(logits: &mut [f32]) {
    // Without the largest, so that no exponential overflows.
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter_mut().for_each(|v| *v = (*v - largest).exp());
    let total: f32 = logits.iter().sum();
    logits.iter_mut().for_each(|v| *v /= total);
}

/// The most likely class; the first among equals.
pub fn most_likely(probabilities: &[f32]) -> usize {
    // From the end, because `max_by` gives the last of equals.
    (0..probabilities.len())
        .rev()
        .max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn probabilities_are_the_softmax_of_the_logits() {
        let classifier =
            Classifier::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0], vec![0.0, 0.0, 1.0])
                .expect("3 x 2");
        let p = classifier.predict(&[2.0, 0.0]).expect("width 2");
        let e = std::f32::consts::E;
        let total = e * e + 1.0 + e;
        for (actual, expected) in p.iter().zip([e * e / total, 1.0 / total, e / total]) {
            assert!((actual - expected).abs() < 1e-6);
        }
        assert_eq!(most_likely(&p), 0);
        assert_eq!(most_likely(&[0.5, 0.5]), 0);
        assert!(matches!(
            classifier.predict(&[1.0]),
            Err(TuneError::Width { .. })
        ));
        assert!(Classifier::new(2, vec![0.0; 3], vec![0.0; 2]).is_err());
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let classifier = Classifier::new(1, vec![1e30, -1e30], vec![0.0; 2]).expect("2 x 1");
        assert_eq!(classifier.predict(&[1e8]).expect("width 1"), [1.0, 0.0]);
    }
}
