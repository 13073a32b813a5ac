//! Clusters of images against their classes.

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::analysis::kmeans::{KMeansConfig, kmeans};
use ibot_core::analysis::rows::Rows;
use ibot_core::eval::cluster::{ClusterScores, prototypes};
use serde::{Deserialize, Serialize};

use super::measures::Measures;
use super::sets::Subset;
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval cluster --data cifar10/test.tar --model runs/cifar
  ibot eval cluster --data cifar10/test.tar --model runs/cifar --clusters 100 --restarts 10
  ibot eval cluster --data imagenet/val --model checkpoint.pth --prototypes

CLS tokens are clustered by k-means (cosine, k-means++, the best of --restarts). With --prototypes each image belongs to
the prototype of the iBOT head that its CLS token is most like, as in the paper; that needs a model with its head: a run,
or a training checkpoint. The images are those of --val, or of --data; labels only judge.
ACC is the share of images whose cluster is matched with their class, at most one cluster a class; ARI is the adjusted
Rand index, NMI the normalised mutual information and FMI the Fowlkes-Mallows index, as in scikit-learn.
ACC suits as many clusters as classes: for --prototypes the paper trains a model with 1000 of them for ImageNet.";

/// Most images where no set to judge by is given, as for k-NN.
const OF_DATA: usize = 10_000;
const NMI: &str = "nmi";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Take the prototypes of the iBOT head for clusters, without k-means
    #[arg(long, conflicts_with_all = ["clusters", "restarts", "seed"])]
    pub prototypes: bool,
    /// Number of clusters of k-means [default: the number of classes]
    #[arg(long, value_name = "K")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
    /// Runs of k-means from different first centroids, of which the best is kept
    #[arg(long, default_value_t = 3)]
    pub restarts: usize,
    /// Seed of the first centroids of k-means
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Most images, spread evenly over the set [default: all, or 10000 if --val is missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            prototypes: false,
            clusters: None,
            restarts: 3,
            seed: 0,
            images: None,
        }
    }
}

struct Clustered {
    clusters: Vec<usize>,
    /// Empty ones included.
    count: usize,
    /// What they are, such as `prototypes`.
    kind: &'static str,
}

impl EvalTask for Cluster {
    fn title(&self) -> &'static str {
        "Clusters"
    }

    fn name(&self) -> &'static str {
        "cluster"
    }

    fn paper(&self) -> &'static str {
        "table 5"
    }

    fn meaning(&self) -> &'static str {
        "It says how much clusters that were found without labels tell about the classes: high where \
         images of one class lie together and apart from others."
    }

    fn suits(&self, data: &Dataset) -> bool {
        !data.classes().is_empty() && self.images != Some(0)
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Readout::CLS]
    }

    fn needs_head(&self) -> bool {
        self.prototypes
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        ensure!(
            !(self.prototypes && self.clusters.is_some()),
            "prototypes of the head leave no choice of the number of clusters; ask for one of both"
        );
        let (data, usual) = match subject.val {
            Some(val) => (val, usize::MAX),
            None => (subject.data, OF_DATA),
        };
        let subset = Subset::labelled_of(data, self.images.unwrap_or(usize::MAX).min(usual))?;
        let images = vec![("clustered", subset.indices.len())];

        let cls = subject
            .features
            .rows(Readout::CLS, subset.data, &subset.indices)?;
        let labels = subset.labels_of(&cls.indices);
        let classes = data.classes().len();
        let clustered = if self.prototypes {
            by_prototypes(subject, &cls.values, cls.width)?
        } else {
            self.by_kmeans(&cls.values, cls.width, classes)?
        };

        let scores = ClusterScores::of(&clustered.clusters, &labels)?;
        Ok(TaskOutput {
            measures: measures(&scores, clustered.count),
            images,
            table: table(&scores, &clustered, classes),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let label = match measure {
            "acc" | "ari" | NMI | "fmi" => measure.to_uppercase(),
            _ => return None,
        };
        Some(Curve {
            quantity: "agreement with classes",
            unit: Unit::Share,
            label,
        })
    }

    // NMI, which compares any number of clusters with any number of classes.
    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(NMI)
    }
}

impl Cluster {
    fn by_kmeans(&self, tokens: &[f32], dim: usize, classes: usize) -> Result<Clustered> {
        let count = self.clusters.unwrap_or(classes);
        let config = KMeansConfig {
            restarts: self.restarts,
            seed: self.seed,
            ..KMeansConfig::new(count)
        };
        let found = kmeans(&Rows::new(tokens, dim)?, &config).context("k-means")?;
        Ok(Clustered {
            clusters: found.labels,
            count,
            kind: "clusters of k-means",
        })
    }
}

fn by_prototypes(subject: &Subject, tokens: &[f32], dim: usize) -> Result<Clustered> {
    let head = subject.head.context(
        "prototypes are those of the iBOT head, which this model lacks; give a run or a training \
         checkpoint, or let k-means find the clusters",
    )?;
    let device = subject.features.device();
    let found = block_on(prototypes(head, tokens, dim, device)).context("the head")?;
    Ok(Clustered {
        clusters: found,
        count: head.prototypes(),
        kind: "prototypes",
    })
}

fn measures(scores: &ClusterScores, clusters: usize) -> Measures {
    let mut measures = Measures::default();
    for (name, value) in [
        ("acc", scores.accuracy),
        ("ari", scores.adjusted_rand),
        (NMI, scores.nmi),
        ("fmi", scores.fowlkes_mallows),
        ("used_clusters", scores.used as f64),
        ("clusters", clusters as f64),
    ] {
        measures.push(name.to_owned(), value);
    }
    measures
}

fn table(scores: &ClusterScores, clustered: &Clustered, classes: usize) -> String {
    let Clustered { count, kind, .. } = clustered;
    let mut table = format!(
        "{} of {count} {kind} in use, {classes} classes",
        scores.used
    );
    for (name, value) in [
        ("ACC", scores.accuracy),
        ("ARI", scores.adjusted_rand),
        ("NMI", scores.nmi),
        ("FMI", scores.fowlkes_mallows),
    ] {
        table += &format!("\n{name}  {:5.1} %", 100.0 * value);
    }
    if *count > classes {
        table += "\nWith more clusters than classes ACC is low, since at most one cluster counts for a class.";
    }
    table
}
