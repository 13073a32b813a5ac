//! Which patches each prototype or cluster stands for: the pattern layouts of the paper (Figure 4
//! and appendix), and how pure they are where part labels are known.

use std::collections::BTreeMap;

/// A patch that belongs to a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patch {
    /// How strongly it belongs, such as the head's output for the prototype.
    pub score: f32,
    /// Index of the image.
    pub image: usize,
    /// Index of the patch in its image.
    pub patch: usize,
    /// The part of an object it shows, if known.
    pub part: Option<usize>,
}

impl Patch {
    fn precedes(&self, other: &Self) -> bool {
        // Equal scores are ordered too, so that it does not matter in which order patches are
        // offered.
        let by_score = other.score.total_cmp(&self.score);
        by_score
            .then(self.image.cmp(&other.image))
            .then(self.patch.cmp(&other.patch))
            .is_lt()
    }
}

/// The best patches of each cluster and how often each is used, collected patch by patch.
#[derive(Clone, Debug)]
pub struct Patterns {
    top: usize,
    per_image: usize,
    clusters: Vec<Cluster>,
}

#[derive(Clone, Debug, Default)]
struct Cluster {
    /// Best first.
    kept: Vec<Patch>,
    count: u64,
    /// Labelled patches by part.
    parts: BTreeMap<usize, u64>,
}

/// Why patches were not collected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PatternError {
    #[error(
        "patterns need at least 1 cluster, 1 patch each and 1 from an image, got {clusters}, {top}, {per_image}"
    )]
    Settings {
        clusters: usize,
        top: usize,
        per_image: usize,
    },
    #[error(
        "patch {patch} of image {image} belongs to cluster {cluster}, but there are only {clusters}"
    )]
    Cluster {
        image: usize,
        patch: usize,
        cluster: usize,
        clusters: usize,
    },
    #[error("patch {patch} of image {image} has a score that is not a number; check the features")]
    Score { image: usize, patch: usize },
}

/// How evenly the clusters are used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Clusters with at least one patch.
    pub used: usize,
    /// Entropy of the shares in nats: from 0 with one cluster in use to `ln K` with all used alike.
    pub entropy: f64,
    /// The exponential of the entropy: how many clusters used alike would have the same entropy.
    pub perplexity: f64,
}

/// How often a cluster stands for one part. Only patches with a part label count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartPurity {
    /// Labelled patches.
    pub labelled: u64,
    /// The share of a cluster's kept patches that show the most common part among them: the mean
    /// over clusters with a labelled kept patch, weighted by their numbers of labelled patches.
    /// Small numbers of patches raise it.
    pub kept: f64,
    /// The same with all patches of each cluster.
    pub all: f64,
    /// The purity of clusters that are independent of parts: the share of the most common part
    /// overall.
    pub chance: f64,
}

impl Patterns {
    /// Collects the `top` patches with the largest scores of each of `clusters` clusters, at most
    /// `per_image` of them from one image. The official code keeps one per image, which shows the
    /// variety of a pattern.
    ///
    /// # Errors
    /// If a number is 0.
    pub fn new(clusters: usize, top: usize, per_image: usize) -> Result<Self, PatternError> {
        if clusters == 0 || top == 0 || per_image == 0 {
            return Err(PatternError::Settings {
                clusters,
                top,
                per_image,
            });
        }
        Ok(Self {
            top,
            per_image,
            clusters: vec![Cluster::default(); clusters],
        })
    }

    /// Adds a patch to `cluster`. Each patch of an image is to be added once, in any order.
    ///
    /// # Errors
    /// If there is no such cluster or the score is not a number; nothing is then added.
    pub fn offer(&mut self, cluster: usize, patch: Patch) -> Result<(), PatternError> {
        let clusters = self.clusters.len();
        if patch.score.is_nan() {
            return Err(PatternError::Score {
                image: patch.image,
                patch: patch.patch,
            });
        }
        let Some(entry) = self.clusters.get_mut(cluster) else {
            return Err(PatternError::Cluster {
                image: patch.image,
                patch: patch.patch,
                cluster,
                clusters,
            });
        };

        entry.count += 1;
        if let Some(part) = patch.part {
            *entry.parts.entry(part).or_default() += 1;
        }

        let kept = &mut entry.kept;
        // Most patches end here, without an insertion.
        if kept.len() == self.top && kept.last().is_some_and(|last| !patch.precedes(last)) {
            return Ok(());
        }
        kept.insert(kept.partition_point(|other| other.precedes(&patch)), patch);
        // Only this image can now have one too many, and the last of them is the one to go.
        let of_image = |other: &Patch| other.image == patch.image;
        let too_many = kept.iter().filter(|other| of_image(other)).count() > self.per_image;
        if let (true, Some(last)) = (too_many, kept.iter().rposition(of_image)) {
            kept.remove(last);
        }
        kept.truncate(self.top);
        Ok(())
    }

    /// The kept patches of `cluster`, best first; none for a cluster that does not exist.
    pub fn kept(&self, cluster: usize) -> &[Patch] {
        self.clusters
            .get(cluster)
            .map_or(&[], |cluster| &cluster.kept)
    }

    /// How many patches each cluster was offered.
    pub fn counts(&self) -> Vec<u64> {
        self.clusters.iter().map(|cluster| cluster.count).collect()
    }

    /// At most `count` clusters in use, from the most used down; among equals the lower index comes
    /// first.
    pub fn most_used(&self, count: usize) -> Vec<usize> {
        let used = |cluster: &usize| self.clusters[*cluster].count;
        let mut order: Vec<usize> = (0..self.clusters.len())
            .filter(|cluster| used(cluster) > 0)
            .collect();
        order.sort_by_key(|cluster| std::cmp::Reverse(used(cluster)));
        order.truncate(count);
        order
    }

    /// How evenly the clusters are used, `None` before any patch was offered.
    pub fn usage(&self) -> Option<Usage> {
        let total: u64 = self.clusters.iter().map(|cluster| cluster.count).sum();
        if total == 0 {
            return None;
        }

        let (mut used, mut entropy) = (0, 0.0);
        for cluster in self.clusters.iter().filter(|cluster| cluster.count > 0) {
            let share = cluster.count as f64 / total as f64;
            used += 1;
            entropy -= share * share.ln();
        }
        Some(Usage {
            used,
            entropy,
            perplexity: entropy.exp(),
        })
    }

    /// The share of the kept patches of `cluster` with a part label that show the most common part
    /// among them.
    pub fn kept_purity(&self, cluster: usize) -> Option<f64> {
        let mut parts = BTreeMap::new();
        for part in self.kept(cluster).iter().filter_map(|patch| patch.part) {
            *parts.entry(part).or_default() += 1;
        }
        largest_share(&parts)
    }

    /// The share of all labelled patches of `cluster` that show its most common part.
    pub fn purity(&self, cluster: usize) -> Option<f64> {
        largest_share(&self.clusters.get(cluster)?.parts)
    }

    /// The purities over all clusters, `None` if no kept patch has a part label.
    pub fn part_purity(&self) -> Option<PartPurity> {
        let mut overall = BTreeMap::new();
        for (part, count) in self.clusters.iter().flat_map(|cluster| &cluster.parts) {
            *overall.entry(*part).or_default() += *count;
        }
        Some(PartPurity {
            labelled: overall.values().sum(),
            kept: self.mean_purity(Self::kept_purity)?,
            all: self.mean_purity(Self::purity)?,
            chance: largest_share(&overall)?,
        })
    }

    /// The mean of `purity` over the clusters that have one, weighted by labelled patches.
    fn mean_purity(&self, purity: impl Fn(&Self, usize) -> Option<f64>) -> Option<f64> {
        let (mut weights, mut sum) = (0.0, 0.0);
        for (index, cluster) in self.clusters.iter().enumerate() {
            if let Some(purity) = purity(self, index) {
                let weight = cluster.parts.values().sum::<u64>() as f64;
                weights += weight;
                sum += weight * purity;
            }
        }
        (weights > 0.0).then_some(sum / weights)
    }
}

fn largest_share(parts: &BTreeMap<usize, u64>) -> Option<f64> {
    let most = parts.values().max()?;
    Some(*most as f64 / parts.values().sum::<u64>() as f64)
}

#[cfg(test)]
mod tests;
