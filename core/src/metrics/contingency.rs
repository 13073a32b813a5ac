//! Agreement of a partition found without labels with the true one (paper Table 5, and segmentation
//! by mean IoU).

use super::assignment::max_assignment;

// Their counts lie in memory.
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
#[allow(missing_docs)]
pub enum ScoreError {
    #[error(
        "{predicted} predicted labels cannot be compared with {truth} true ones; give one of each for every item"
    )]
    Lengths { predicted: usize, truth: usize },
    #[error(
        "there is no item with a true label to compare; check the labels and the label to ignore"
    )]
    Empty,
    #[error(
        "{clusters} clusters times {classes} classes are too many to compare; the product may be at most 2^26"
    )]
    TooMany { clusters: usize, classes: usize },
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
        let items: Vec<(usize, usize)> = predicted
            .iter()
            .zip(truth)
            .filter(|(_, class)| Some(**class) != ignore)
            .map(|(cluster, class)| (*cluster, *class))
            .collect();
        let clusters = distinct(items.iter().map(|(cluster, _)| *cluster));
        let classes = distinct(items.iter().map(|(_, class)| *class));
        if classes.is_empty() {
            return Err(ScoreError::Empty);
        }
        let cells = clusters.len().checked_mul(classes.len());
        if cells.is_none_or(|cells| cells > MAX_CELLS) {
            return Err(ScoreError::TooMany {
                clusters: clusters.len(),
                classes: classes.len(),
            });
        }

        let mut counts = vec![0; clusters.len() * classes.len()];
        for (cluster, class) in &items {
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

    /// Purity: the share of items that have the most common class of their cluster. It grows with
    /// the number of clusters, to 1 with one item each.
    pub fn purity(&self) -> f64 {
        self.rows().map(most).sum::<u64>() as f64 / self.total() as f64
    }

    /// Matches clusters with classes and scores the matching.
    pub fn matched(&self) -> Matched {
        let columns = self.classes.len();
        let cluster_sizes = self.cluster_sizes();
        let class_sizes = self.class_sizes();

        let mut pairs = Vec::new();
        let mut hits = 0;
        let mut ious: Vec<(usize, f64)> = self.classes.iter().map(|class| (*class, 0.0)).collect();
        for (row, column) in max_assignment(&self.counts, self.clusters.len(), columns) {
            let common = self.counts[row * columns + column];
            if common == 0 {
                continue;
            }
            let union = cluster_sizes[row] + class_sizes[column] - common;
            pairs.push((self.clusters[row], self.classes[column]));
            hits += common;
            ious[column].1 = common as f64 / union as f64;
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
        let of_clusters = entropy(&self.cluster_sizes());
        let of_classes = entropy(&self.class_sizes());
        if of_clusters == 0.0 && of_classes == 0.0 {
            return 1.0;
        }
        let information = of_clusters + of_classes - entropy(&self.counts);
        // Rounding may leave the quotient just beside 0 or 1.
        (2.0 * information / (of_clusters + of_classes)).clamp(0.0, 1.0)
    }

    /// Adjusted Rand index: agreement on pairs of items, 0 at chance level and 1 if the partitions
    /// are equal.
    pub fn adjusted_rand(&self) -> f64 {
        let pairs = self.pairs();
        // One part on both sides, or single items on both: the quotient would be 0 over 0.
        if pairs.both == pairs.clusters && pairs.both == pairs.classes {
            return 1.0;
        }
        let all = u128::from(self.total()) * u128::from(self.total() - 1);
        let expected = pairs.clusters as f64 * pairs.classes as f64 / all as f64;
        let most = (pairs.clusters as f64 + pairs.classes as f64) / 2.0;
        (pairs.both as f64 - expected) / (most - expected)
    }

    /// Fowlkes-Mallows index: the geometric mean of precision and recall on pairs of items in a
    /// common part. 0 if no two items share both cluster and class.
    pub fn fowlkes_mallows(&self) -> f64 {
        let pairs = self.pairs();
        if pairs.both == 0 {
            return 0.0;
        }
        let precision = pairs.both as f64 / pairs.clusters as f64;
        let recall = pairs.both as f64 / pairs.classes as f64;
        (precision * recall).sqrt()
    }

    fn pairs(&self) -> Pairs {
        Pairs {
            both: ordered_pairs(&self.counts),
            clusters: ordered_pairs(&self.cluster_sizes()),
            classes: ordered_pairs(&self.class_sizes()),
        }
    }

    fn cluster_sizes(&self) -> Vec<u64> {
        self.rows().map(|row| row.iter().sum()).collect()
    }

    fn rows(&self) -> std::slice::ChunksExact<'_, u64> {
        self.counts.chunks_exact(self.classes.len())
    }

    fn class_sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.classes.len()];
        for row in self.rows() {
            for (size, count) in sizes.iter_mut().zip(row) {
                *size += count;
            }
        }
        sizes
    }
}

/// Ordered pairs of different items with something in common.
struct Pairs {
    /// Both cluster and class.
    both: u128,
    clusters: u128,
    classes: u128,
}

/// Ordered pairs of different items within groups of these sizes.
fn ordered_pairs(sizes: &[u64]) -> u128 {
    // A product of two 64-bit numbers needs 128 bits.
    sizes
        .iter()
        .map(|n| u128::from(*n) * u128::from(n.saturating_sub(1)))
        .sum()
}

/// Entropy in nats of a partition into groups of these sizes.
fn entropy(sizes: &[u64]) -> f64 {
    let total = sizes.iter().sum::<u64>() as f64;
    let mut entropy = 0.0;
    for size in sizes.iter().filter(|size| **size > 0) {
        let share = *size as f64 / total;
        entropy -= share * share.ln();
    }
    entropy
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
mod tests;
