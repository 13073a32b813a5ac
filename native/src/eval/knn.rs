//! k-NN on frozen features.

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::eval::knn::{KnnAccuracy, Labelled, NEIGHBOURS, TEMPERATURE, knn};
use serde::{Deserialize, Serialize};

use super::measures::Measures;
use super::task::{EvalTask, Subject, TaskOutput};
use crate::data::Dataset;
use crate::features::{Extractor, Pooling};

const HELP: &str = "\
Examples:
  ibot eval knn --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar --bank 10000 --queries 2000
  ibot eval knn --data imagenet/train --val imagenet/val --model vit_small.pth
  ibot eval knn --data photos/ --model pixels

Each image of --val is classified by its nearest neighbours among the images of --data, by cosine similarity of the CLS
token; a neighbour votes with weight exp(cosine / 0.07). Without --val, a part of --data is classified by the rest.
With --model pixels the images themselves are compared, without a network.
Prints top-1 and top-5 for k = 10, 20, 100 and 200 (at most the size of the bank).";

/// Bank and queries where both come from one set, unless the settings say otherwise.
const ONE_SET: (usize, usize) = (10_000, 2_000);
/// The official evaluation is best at k = 20.
const QUOTED_K: usize = 20;
/// Measures are `top1_k20` and so on.
const TOP1: &str = "top1_k";

/// Settings of the evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Knn {
    /// Most images that vote, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank: Option<usize>,
    /// Most images to classify, spread evenly over the set [default: all, or 2000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<usize>,
}

/// Which images vote and which are classified.
struct Sets<'a> {
    bank: Subset<'a>,
    queries: Subset<'a>,
}

/// Images of a dataset by their indices.
struct Subset<'a> {
    data: &'a Dataset,
    indices: Vec<usize>,
}

impl EvalTask for Knn {
    fn title(&self) -> &'static str {
        "k-NN"
    }

    fn name(&self) -> &'static str {
        "knn"
    }

    fn paper(&self) -> &'static str {
        "section 4.1"
    }

    fn suits(&self, data: &Dataset) -> bool {
        let is_empty = self.bank == Some(0) || self.queries == Some(0);
        !data.classes().is_empty() && !is_empty
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let Sets { bank, queries } = match subject.val {
            Some(val) => self.two_sets(subject.data, val)?,
            None => self.one_set(subject.data)?,
        };
        let images = vec![
            ("bank", bank.indices.len()),
            ("queries", queries.indices.len()),
        ];

        let bank = bank.features(&subject.extractor)?;
        let queries = queries.features(&subject.extractor)?;
        let accuracies = block_on(knn(&bank, &queries, &NEIGHBOURS, TEMPERATURE))
            .context("k-NN on the device")?;

        Ok(TaskOutput {
            measures: measures(&accuracies),
            images,
            table: table(&accuracies),
        })
    }

    fn quantity(&self) -> &'static str {
        "top-1"
    }

    fn curve(&self, measure: &str) -> Option<String> {
        let k = measure.strip_prefix(TOP1)?;
        Some(format!("k = {k}"))
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        let mut quoted = None;
        for (name, _) in measures.iter() {
            let Some(k) = name.strip_prefix(TOP1) else {
                continue;
            };
            // Numbers of neighbours rise; a small bank may have none up to 20.
            if quoted.is_none() || k.parse().is_ok_and(|k: usize| k <= QUOTED_K) {
                quoted = Some(name);
            }
        }
        quoted
    }
}

impl Knn {
    /// All images of both sets vote or are classified, unless the settings limit them.
    fn two_sets<'a>(&self, train: &'a Dataset, val: &'a Dataset) -> Result<Sets<'a>> {
        require_labels(train)?;
        require_labels(val)?;
        if train.classes() != val.classes() {
            let (train_name, val_name) = (train.description(), val.description());
            let unknown = val
                .classes()
                .iter()
                .find(|class| !train.classes().contains(class))
                .map_or(String::new(), |class| {
                    format!("; `{class}` is only in the second")
                });
            bail!("the classes of the two sets differ: {train_name} against {val_name}{unknown}");
        }

        Ok(Sets {
            bank: Subset {
                data: train,
                indices: train.subset(self.bank.unwrap_or(usize::MAX), 0),
            },
            queries: Subset {
                data: val,
                indices: val.subset(self.queries.unwrap_or(usize::MAX), 0),
            },
        })
    }

    /// Bank and queries are different images of one set, fewer in proportion if it is small.
    fn one_set<'a>(&self, data: &'a Dataset) -> Result<Sets<'a>> {
        require_labels(data)?;
        let bank = self.bank.unwrap_or(ONE_SET.0);
        let queries = self.queries.unwrap_or(ONE_SET.1);
        ensure!(
            bank > 0 && queries > 0,
            "k-NN needs a bank and queries of at least one image"
        );
        ensure!(
            data.len() > 1,
            "k-NN needs two images or more, one of them to classify"
        );

        let wanted = bank.saturating_add(queries).min(data.len());
        let total = bank as u128 + queries as u128;
        let count = (queries as u128 * wanted as u128 / total) as usize;
        let count = count.clamp(1, wanted - 1);

        let mut sets = Sets {
            bank: Subset {
                data,
                indices: Vec::new(),
            },
            queries: Subset {
                data,
                indices: Vec::new(),
            },
        };
        for (place, index) in data.subset(wanted, 0).into_iter().enumerate() {
            // Exactly `count` places of all, spread evenly, are those of queries.
            let is_query = (place + 1) * count / wanted > place * count / wanted;
            let subset = if is_query {
                &mut sets.queries
            } else {
                &mut sets.bank
            };
            subset.indices.push(index);
        }
        Ok(sets)
    }
}

impl Subset<'_> {
    fn features(&self, extractor: &Extractor) -> Result<Labelled> {
        let features = extractor.extract(Pooling::CLS, self.data, &self.indices)?;
        let label = |index: &usize| self.data.label(*index).unwrap_or_default();
        Ok(Labelled {
            features: features.rows,
            labels: features.indices.iter().map(label).collect(),
        })
    }
}

fn require_labels(data: &Dataset) -> Result<()> {
    ensure!(
        !data.classes().is_empty(),
        "{} has no labels, which k-NN needs: put the images of each class in a folder of its own",
        data.description()
    );
    Ok(())
}

fn measures(accuracies: &[KnnAccuracy]) -> Measures {
    let mut measures = Measures::default();
    for KnnAccuracy { k, top1, top5 } in accuracies {
        measures.push(format!("{TOP1}{k}"), *top1);
        measures.push(format!("top5_k{k}"), *top5);
    }
    measures
}

fn table(accuracies: &[KnnAccuracy]) -> String {
    let mut table = "   k   top-1   top-5".to_owned();
    for KnnAccuracy { k, top1, top5 } in accuracies {
        let (top1, top5) = (100.0 * top1, 100.0 * top5);
        table += &format!("\n{k:4}  {top1:5.1} %  {top5:5.1} %");
    }
    table
}
