//! Unsupervised classification: clusters of images against their classes (paper table 5).

use burn::tensor::{Device, ExecutionError};

use crate::analysis::prototypes::{Kind, assign};
use crate::metrics::contingency::{Contingency, ScoreError};
use crate::model::Head;

// Images whose logits are computed at a time; a head may have thousands.
const BLOCK: usize = 1024;

/// How well clusters agree with classes.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterScores {
    /// Clustering accuracy: the share of images whose cluster is matched with their class, where
    /// each cluster is matched with at most one class and vice versa (Hungarian matching).
    pub accuracy: f64,
    /// Adjusted Rand index.
    pub adjusted_rand: f64,
    /// Normalised mutual information, by the arithmetic mean of the entropies.
    pub nmi: f64,
    /// Fowlkes-Mallows index.
    pub fowlkes_mallows: f64,
    /// Clusters with an image.
    pub used: usize,
}

impl ClusterScores {
    /// The scores of `clusters` for images of the classes `labels`.
    ///
    /// # Errors
    /// If the lengths differ, there is no image, or clusters times classes exceed 2^26.
    pub fn of(clusters: &[usize], labels: &[usize]) -> Result<Self, ScoreError> {
        let table = Contingency::new(clusters, labels, None)?;
        Ok(Self {
            accuracy: table.matched().accuracy,
            adjusted_rand: table.adjusted_rand(),
            nmi: table.nmi(),
            fowlkes_mallows: table.fowlkes_mallows(),
            used: table.clusters().len(),
        })
    }
}

/// The prototype of each image: that of the largest output of `head`, neither centered nor
/// sharpened, for its CLS token. `tokens` are row-major `[N, dim]`.
pub async fn prototypes(
    head: &Head,
    tokens: &[f32],
    dim: usize,
    device: &Device,
) -> Result<Vec<usize>, ExecutionError> {
    let mut clusters = Vec::with_capacity(tokens.len() / dim.max(1));
    for block in tokens.chunks(BLOCK * dim.max(1)) {
        for assignment in assign(head, Kind::Cls, block, dim, device).await? {
            clusters.push(assignment.prototype);
        }
    }
    Ok(clusters)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Tensor, TensorData};
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::{small_network, test};

    #[test]
    fn an_image_belongs_to_the_prototype_of_its_largest_output() {
        let device = Device::flex();
        let head = small_network(3, &device).head;
        let rows = BLOCK + 9;
        let tokens: Vec<f32> = (0..rows * 16).map(|i| (i as f32 * 0.7).sin()).collect();
        let found = block_on(prototypes(&head, &tokens, 16, &device)).expect("flex");

        let input = Tensor::<2>::from_data(TensorData::new(tokens, [rows, 16]), &device);
        let logits: Tensor<2> = head.cls_logits(head.cls_bottleneck(input));
        let logits: Vec<f32> = logits.try_to_vec_as().expect("floats");
        assert_eq!(found.len(), rows);
        for (logits, prototype) in logits.chunks(12).zip(&found) {
            assert!(logits.iter().all(|logit| *logit <= logits[*prototype]));
        }
        assert!(found.iter().any(|prototype| *prototype != found[0]));
    }

    #[test]
    fn scores_count_images_once() {
        // Clusters 7 and 9 are classes 1 and 0, but for one image.
        let scores = ClusterScores::of(&[7, 7, 7, 9, 9, 9], &[1, 1, 1, 0, 0, 1]).expect("labels");
        assert!((scores.accuracy - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(scores.used, 2);
        // Ordered pairs: 8 share both, 12 a cluster, 14 a class, of 30.
        let expected = (8.0 - 12.0 * 14.0 / 30.0) / (13.0 - 12.0 * 14.0 / 30.0);
        assert!((scores.adjusted_rand - expected).abs() < 1e-12);
        assert!((scores.fowlkes_mallows - 8.0 / (12.0f64 * 14.0).sqrt()).abs() < 1e-12);
        assert!(ClusterScores::of(&[0], &[]).is_err());
    }
}
