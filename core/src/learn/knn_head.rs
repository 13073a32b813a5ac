//! k nearest neighbours as a classifier: nothing to train, and every new image counts at once.

use burn::tensor::{Device, Tensor, TensorData};

use crate::eval::knn::{Labelled, TEMPERATURE, neighbours};
use crate::learn::{FeatureSet, TuneError};

/// Classifies by the weighted votes of the most similar labelled features.
#[derive(Clone, Debug)]
pub struct KnnHead {
    bank: Labelled,
    classes: usize,
    k: usize,
}

impl KnnHead {
    /// Votes of the `k` nearest features of `set` (at least one, and as many as there are at most).
    pub fn new(set: &FeatureSet, k: usize, device: &Device) -> Self {
        let rows = set.labels().len();
        let features = TensorData::new(set.values().to_vec(), [rows, set.dim()]);
        let bank = Labelled {
            features: Tensor::from_data(features, device),
            labels: set.labels().to_vec(),
        };
        Self {
            bank,
            classes: set.classes(),
            // Of few images all vote.
            k: k.clamp(1, rows),
        }
    }

    /// Each class's share of the votes.
    ///
    /// # Errors
    /// If the feature is of another width, or the device fails.
    pub async fn predict(&self, feature: &[f32]) -> Result<Vec<f32>, TuneError> {
        let expected = self.bank.features.dims()[1];
        if feature.len() != expected {
            return Err(TuneError::Width {
                expected,
                actual: feature.len(),
            });
        }

        let query = TensorData::new(feature.to_vec(), [1, expected]);
        let query = Tensor::from_data(query, &self.bank.features.device());
        let mut voters = neighbours(&self.bank, query, self.k).await?.concat();

        // Relative to the nearest, whose vote is 1: shares do not change, and no vote overflows.
        let nearest = voters
            .iter()
            .map(|(similarity, _)| *similarity)
            .fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        for (vote, _) in &mut voters {
            *vote = ((*vote - nearest) / TEMPERATURE).exp();
            total += *vote;
        }

        let mut shares = vec![0.0; self.classes];
        for (vote, class) in voters {
            shares[class] += (vote / total) as f32;
        }
        Ok(shares)
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::test;

    #[test]
    fn shares_of_votes_are_exponentials_of_cosines() {
        let rows: [(&[f32], usize); 3] = [(&[2.0, 0.0], 0), (&[0.96, 0.28], 2), (&[0.0, -1.0], 1)];
        let set = FeatureSet::new(2, 3, rows).expect("sound");
        let p = |k| {
            block_on(KnnHead::new(&set, k, &Device::flex()).predict(&[3.0, 0.0])).expect("flex")
        };
        // Cosines 1 and 0.96.
        let far = (-0.04f32 / 0.07).exp();
        for (actual, expected) in p(2).iter().zip([1.0 / (1.0 + far), 0.0, far / (1.0 + far)]) {
            assert!(
                (actual - expected).abs() < 1e-5,
                "{actual}, expected {expected}"
            );
        }
        assert_eq!(p(0), [1.0, 0.0, 0.0]);
        assert!((p(9).iter().sum::<f32>() - 1.0).abs() < 1e-6 && p(9)[1] > 0.0);
    }
}
