//! k-NN on frozen features: the `knn` command, and the evaluation during pre-training.

use std::num::NonZeroUsize;

use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::Device;
use futures_lite::future::block_on;
use ibot_core::knn::{KnnAccuracy, Labelled, NEIGHBOURS, TEMPERATURE, knn};
use ibot_core::model::Vit;

use crate::data::Dataset;
use crate::features::{EvalView, Features, cls_features, pixel_features};

/// Which images vote and which are classified.
pub struct Split<'a> {
    /// Holds the images that vote.
    pub bank: &'a Dataset,
    /// Their indices.
    pub bank_indices: Vec<usize>,
    /// Holds the images that are classified.
    pub queries: &'a Dataset,
    /// Their indices.
    pub query_indices: Vec<usize>,
}

impl<'a> Split<'a> {
    /// At most `bank` images of `train` and `queries` of `val`, spread evenly over each.
    ///
    /// # Errors
    /// If one of them has no labels, or their classes differ.
    pub fn of_two(train: &'a Dataset, val: &'a Dataset, bank: usize, queries: usize) -> Result<Self> {
        for data in [train, val] {
            ensure!(
                !data.classes().is_empty(),
                "{} has no labels, which k-NN needs: put the images of each class in a folder of its own",
                data.description()
            );
        }
        let unknown: Vec<&String> = val.classes().iter().filter(|class| !train.classes().contains(class)).collect();
        if train.classes() != val.classes() {
            bail!(
                "the classes of the two sets differ: {} against {}{}",
                train.description(),
                val.description(),
                unknown.first().map_or(String::new(), |class| format!("; `{class}` is only in the second"))
            );
        }
        Ok(Self {
            bank: train,
            bank_indices: train.subset(bank, 0),
            queries: val,
            query_indices: val.subset(queries, 0),
        })
    }

    /// `bank` and `queries` different images of one set, fewer in proportion if it is small; `None` without labels.
    pub fn of_one(data: &'a Dataset, bank: usize, queries: usize) -> Option<Self> {
        if data.classes().is_empty() || queries == 0 || bank == 0 {
            return None;
        }
        let wanted = (bank + queries).min(data.len());
        let queries = (queries * wanted / (bank + queries)).max(1);
        let chosen = data.subset(wanted, 0);
        let is_query = |i: usize| (i + 1) * queries / wanted > i * queries / wanted;
        let (query_indices, bank_indices): (Vec<_>, Vec<_>) =
            chosen.iter().enumerate().partition(|(i, _)| is_query(*i));
        let indices = |pairs: Vec<(usize, &usize)>| pairs.into_iter().map(|(_, index)| *index).collect();
        Some(Self {
            bank: data,
            bank_indices: indices(bank_indices),
            queries: data,
            query_indices: indices(query_indices),
        })
    }

    /// Images that vote and images that are classified.
    pub fn sizes(&self) -> (usize, usize) {
        (self.bank_indices.len(), self.query_indices.len())
    }
}

/// What the images are compared by.
pub enum Space<'a> {
    /// CLS tokens of a network.
    Network(&'a Vit),
    /// Plain pixels.
    Pixels,
}

/// Classifies the queries of `split` by their neighbours in its bank, with the official numbers of neighbours.
///
/// # Errors
/// If all images of one side are unreadable, or the device fails.
pub fn evaluate(
    space: &Space,
    split: &Split,
    view: EvalView,
    workers: NonZeroUsize,
    device: &Device,
) -> Result<Vec<KnnAccuracy>> {
    let side = |data: &Dataset, indices: &[usize]| -> Result<Labelled> {
        let Features { rows, indices, unreadable } = match space {
            Space::Network(backbone) => cls_features(backbone, data, indices, view, workers, device),
            Space::Pixels => pixel_features(data, indices, view, workers, device),
        };
        for message in &unreadable {
            eprintln!("warning: {message} (skipped)");
        }
        ensure!(!indices.is_empty(), "no image of {} could be read", data.description());
        let labels = indices.iter().map(|index| data.label(*index).unwrap_or_default()).collect();
        Ok(Labelled { features: rows, labels })
    };
    let bank = side(split.bank, &split.bank_indices)?;
    let queries = side(split.queries, &split.query_indices)?;
    block_on(knn(&bank, &queries, &NEIGHBOURS, TEMPERATURE)).context("k-NN on the device")
}

/// The accuracy that is quoted when only one is: k = 20, the official best, or the largest there is below.
pub fn headline(accuracies: &[KnnAccuracy]) -> Option<&KnnAccuracy> {
    accuracies.iter().rev().find(|accuracy| accuracy.k <= 20).or(accuracies.first())
}
