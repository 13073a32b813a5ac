//! How well a partition found without labels agrees with the true one (paper Table 5, and
//! segmentation by mean IoU).

use crate::metrics::hungarian::max_assignment;

/// Most pairs of a cluster and a class, for their counts lie in memory.
const MAX_CELLS: usize = 1 << 26;

/// How many items each cluster shares with each class. Only clusters and classes that occur are
/// held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contingency {
    clusters: Vec<usize>,
    classes: Vec<usize>,
    /// Row-major `[clusters, classes]`.
    counts: Vec<u64>,
}

/// Why labels were not compared.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScoreError {
    /// The two labelings are of different lengths.
    #[error(
        "{predicted} predicted labels cannot be compared with {truth} true ones; give one of each for every item"
    )]
    Lengths {
        /// Predicted labels.
        predicted: usize,
        /// True labels.
        truth: usize,
    },
    /// No item is labelled.
    #[error(
        "there is no item with a true label to compare; check the labels and the label to ignore"
    )]
    Empty,
    /// The table would be too large.
    #[error(
        "{clusters} clusters times {classes} classes are too many to compare; the product may be at most 2^26"
    )]
    TooMany {
        /// Clusters that occur.
        clusters: usize,
        /// Classes that occur.
        classes: usize,
    },
}

/// Scores after each cluster is matched with at most one class and vice versa (Hungarian matching).
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// Matched (cluster, class): the pairs that share most items in total. Pairs without a common
    /// item are left out.
    pub pairs: Vec<(usize, usize)>,
    /// Clustering accuracy: the share of items whose cluster is matched with their class.
    pub accuracy: f64,
    /// Intersection over union of each class that occurs with its cluster; 0 for a class without
    /// one.
    pub ious: Vec<(usize, f64)>,
    /// Mean of `ious`. Items of unmatched clusters count against their classes only.
    pub mean_iou: f64,
}

impl Contingency {
    /// Counts the items by (predicted, true) label, leaving out those whose true label is `ignore`.
    ///
    /// # Errors
    /// If the lengths differ, nothing is left, or clusters times classes exceed 2^26.
    pub fn new(
        predicted: &[usize],
        truth: &[usize],
        ignore: Option<usize>,
    ) -> Result<Self, ScoreError> {
        if predicted.len() != truth.len() {
            return Err(ScoreError::Lengths {
                predicted: predicted.len(),
                truth: truth.len(),
            });
        }
        let items = || {
            predicted
                .iter()
                .zip(truth)
                .filter(|(_, class)| Some(**class) != ignore)
        };
        let clusters = distinct(items().map(|(cluster, _)| *cluster));
        let classes = distinct(items().map(|(_, class)| *class));
        if classes.is_empty() {
            return Err(ScoreError::Empty);
        }
        if clusters
            .len()
            .checked_mul(classes.len())
            .is_none_or(|cells| cells > MAX_CELLS)
        {
            return Err(ScoreError::TooMany {
                clusters: clusters.len(),
                classes: classes.len(),
            });
        }
        let mut counts = vec![0; clusters.len() * classes.len()];
        for (cluster, class) in items() {
            let (Ok(row), Ok(column)) = (
                clusters.binary_search(cluster),
                classes.binary_search(class),
            ) else {
                unreachable!("all labels were collected above");
            };
            counts[row * classes.len() + column] += 1;
        }
        Ok(Self {
            clusters,
            classes,
            counts,
        })
    }

    /// Number of items.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The clusters that occur, ascending.
    pub fn clusters(&self) -> &[usize] {
        &self.clusters
    }

    /// The classes that occur, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The share of each cluster's items that have its most common class, in the order of
    /// [`Self::clusters`].
    pub fn cluster_purities(&self) -> Vec<f64> {
        self.rows()
            .map(|row| most(row) as f64 / row.iter().sum::<u64>() as f64)
            .collect()
    }

    /// Purity: the share of items that have the most common class of their cluster. It grows with
    /// the number of clusters, to 1 with one item each.
    pub fn purity(&self) -> f64 {
        self.rows().map(most).sum::<u64>() as f64 / self.total() as f64
    }

    /// Matches clusters with classes and scores the matching.
    pub fn matched(&self) -> Matched {
        let columns = self.classes.len();
        let assignment = max_assignment(&self.counts, self.clusters.len(), columns);
        let cluster_sizes: Vec<u64> = self.rows().map(|row| row.iter().sum()).collect();
        let class_sizes = self.class_sizes();
        let mut ious: Vec<(usize, f64)> = self.classes.iter().map(|class| (*class, 0.0)).collect();
        let (mut pairs, mut hits) = (Vec::new(), 0);
        for (row, column) in assignment
            .into_iter()
            .enumerate()
            .filter_map(|(row, column)| Some((row, column?)))
        {
            let common = self.counts[row * columns + column];
            if common > 0 {
                pairs.push((self.clusters[row], self.classes[column]));
                hits += common;
                ious[column].1 =
                    common as f64 / (cluster_sizes[row] + class_sizes[column] - common) as f64;
            }
        }
        let mean_iou = ious.iter().map(|(_, iou)| iou).sum::<f64>() / columns as f64;
        Matched {
            pairs,
            accuracy: hits as f64 / self.total() as f64,
            ious,
            mean_iou,
        }
    }

    /// Normalised mutual information: that of the two partitions over the mean of their entropies.
    /// 1 if they are equal, also if both are of one part.
    pub fn nmi(&self) -> f64 {
        let total = self.total() as f64;
        let entropy = |sizes: &[u64]| -> f64 {
            let shares = sizes
                .iter()
                .map(|size| *size as f64 / total)
                .filter(|share| *share > 0.0);
            shares.map(|share| -share * share.ln()).sum()
        };
        let cluster_sizes: Vec<u64> = self.rows().map(|row| row.iter().sum()).collect();
        let (of_clusters, of_classes) = (entropy(&cluster_sizes), entropy(&self.class_sizes()));
        if of_clusters == 0.0 && of_classes == 0.0 {
            return 1.0;
        }
        let information = of_clusters + of_classes - entropy(&self.counts);
        (2.0 * information / (of_clusters + of_classes)).clamp(0.0, 1.0)
    }

    /// Adjusted Rand index: agreement on pairs of items, 0 at chance level and 1 if the partitions
    /// are equal.
    pub fn adjusted_rand(&self) -> f64 {
        let (both, clusters, classes) = self.pairs();
        let total = self.total();
        let all = u128::from(total) * u128::from(total - 1);
        if both == clusters && both == classes {
            return 1.0;
        }
        let expected = clusters as f64 * classes as f64 / all as f64;
        (both as f64 - expected) / ((clusters as f64 + classes as f64) / 2.0 - expected)
    }

    /// Fowlkes-Mallows index: the geometric mean of precision and recall on pairs of items in a
    /// common part. 0 if no two items share both cluster and class.
    pub fn fowlkes_mallows(&self) -> f64 {
        let (both, clusters, classes) = self.pairs();
        if both == 0 {
            0.0
        } else {
            (both as f64 / clusters as f64 * (both as f64 / classes as f64)).sqrt()
        }
    }

    /// Ordered pairs of items with a common cluster and class, a common cluster, a common class.
    fn pairs(&self) -> (u128, u128, u128) {
        let pairs = |sizes: &[u64]| {
            sizes
                .iter()
                .map(|n| u128::from(*n) * u128::from(n.saturating_sub(1)))
                .sum()
        };
        let cluster_sizes: Vec<u64> = self.rows().map(|row| row.iter().sum()).collect();
        (
            pairs(&self.counts),
            pairs(&cluster_sizes),
            pairs(&self.class_sizes()),
        )
    }

    fn rows(&self) -> std::slice::ChunksExact<'_, u64> {
        self.counts.chunks_exact(self.classes.len())
    }

    fn class_sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.classes.len()];
        self.rows().for_each(|row| {
            sizes
                .iter_mut()
                .zip(row)
                .for_each(|(size, count)| *size += count)
        });
        sizes
    }
}

fn most(row: &[u64]) -> u64 {
    row.iter().copied().max().unwrap_or(0)
}

fn distinct(labels: impl Iterator<Item = usize>) -> Vec<usize> {
    labels
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn table(predicted: &[usize], truth: &[usize]) -> Contingency {
        Contingency::new(predicted, truth, Some(255)).expect("labels of equal length")
    }

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    /// Twelve items in four clusters and three classes; the ignored ones must not matter.
    fn example() -> Contingency {
        let predicted = [0, 0, 1, 1, 2, 2, 2, 3, 0, 1, 2, 3, 9, 0];
        let truth = [0, 0, 0, 1, 1, 2, 2, 2, 0, 1, 2, 2, 255, 255];
        table(&predicted, &truth)
    }

    #[test]
    fn purity_accuracy_and_iou_by_hand() {
        // Rows of counts: [3 0 0], [1 2 0], [0 1 3], [0 0 2].
        let found = example();
        assert_eq!(
            (found.total(), found.clusters(), found.classes()),
            (12, &[0, 1, 2, 3][..], &[0, 1, 2][..])
        );
        close(found.purity(), 10.0 / 12.0);
        assert_eq!(found.cluster_purities(), [1.0, 2.0 / 3.0, 0.75, 1.0]);
        let matched = found.matched();
        assert_eq!(matched.pairs, [(0, 0), (1, 1), (2, 2)]);
        close(matched.accuracy, 8.0 / 12.0);
        // Class 0: 3 of 3 + 4 - 3. Class 1: 2 of 3 + 3 - 2. Class 2: 3 of 4 + 5 - 3.
        close(matched.ious[0].1, 3.0 / 4.0);
        close(matched.ious[1].1, 2.0 / 4.0);
        close(matched.ious[2].1, 3.0 / 6.0);
        close(matched.mean_iou, 1.75 / 3.0);
    }

    #[test]
    fn a_class_without_a_cluster_counts_zero() {
        let matched = table(&[4, 4, 4, 4], &[7, 7, 7, 1]).matched();
        assert_eq!(matched.pairs, [(4, 7)]);
        assert_eq!(matched.ious, [(1, 0.0), (7, 0.75)]);
        close(matched.mean_iou, 0.375);
        // Two clusters, two classes, but the second pair has nothing in common.
        assert_eq!(table(&[0, 0, 1], &[0, 1, 0]).matched().pairs.len(), 2);
        assert_eq!(
            table(&[0, 0, 0, 1], &[0, 0, 1, 0]).matched().pairs,
            [(0, 0)]
        );
    }

    #[test]
    fn indices_equal_those_of_scikit_learn() {
        let found = example();
        close(found.nmi(), 0.6002648143253064);
        close(found.adjusted_rand(), 0.3473423980222497);
        close(found.fowlkes_mallows(), 0.5090278103806223);
        let check = |a: &[usize], b: &[usize], expected: [f64; 3]| {
            let table = table(a, b);
            close(table.nmi(), expected[0]);
            close(table.adjusted_rand(), expected[1]);
            close(table.fowlkes_mallows(), expected[2]);
        };
        check(&[0, 0, 0], &[1, 1, 1], [1.0, 1.0, 1.0]);
        check(&[0, 1, 2], &[0, 1, 2], [1.0, 1.0, 0.0]);
        check(&[0, 0, 0, 0], &[0, 1, 2, 3], [0.0, 0.0, 0.0]);
        check(&[0, 0, 1, 1], &[0, 1, 0, 1], [0.0, -0.5, 0.0]);
        check(&[5], &[3], [1.0, 1.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let refused = |a: &[usize], b: &[usize]| Contingency::new(a, b, Some(0)).err();
        assert_eq!(
            refused(&[1, 2], &[1]),
            Some(ScoreError::Lengths {
                predicted: 2,
                truth: 1
            })
        );
        assert_eq!(refused(&[], &[]), Some(ScoreError::Empty));
        assert_eq!(refused(&[1, 2], &[0, 0]), Some(ScoreError::Empty));
        let many: Vec<usize> = (1..=8193).collect();
        assert_eq!(
            refused(&many, &many),
            Some(ScoreError::TooMany {
                clusters: 8193,
                classes: 8193
            })
        );
        // Labels are names: their size costs nothing.
        close(
            table(&[usize::MAX, 3], &[usize::MAX, 2]).matched().accuracy,
            1.0,
        );
    }
}
