//! k-NN on frozen features.

use anyhow::{Context as _, Result};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::eval::knn::{KnnAccuracy, NEIGHBOURS, TEMPERATURE, knn};
use serde::{Deserialize, Serialize};

use super::measures::Measures;
use super::sets::{SetLimits, Sets};
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval knn --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar --bank 10000 --queries 2000
  ibot eval knn --data imagenet/train --val imagenet/val --model vit_small.pth
  ibot eval knn --data photos/ --model pixels

Each image of --val is classified by its nearest neighbours among the images of --data, by cosine similarity of the CLS
token; a neighbour votes with weight exp(cosine / 0.07). Without --val, a part of --data is classified by the rest.
With --model pixels the images themselves are compared, without a network.
Prints top-1 and top-5 for k = 10, 20, 100 and 200 (at most the size of the bank).";

// The official evaluation is best at k = 20.
const QUOTED_K: usize = 20;
/// Measures are `top1_k20` and so on.
const TOP1: &str = "top1_k";

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

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class most of their nearest neighbours have: high where \
         images of one class lie close together."
    }

    fn suits(&self, data: &Dataset) -> bool {
        !data.classes().is_empty() && !self.limits().is_empty()
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Readout::CLS]
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let sets = Sets::choose(subject.data, subject.val, self.limits())?;
        let images = vec![
            ("bank", sets.train.indices.len()),
            ("queries", sets.val.indices.len()),
        ];

        let bank = sets.train.labelled(Readout::CLS, subject.features)?;
        let queries = sets.val.labelled(Readout::CLS, subject.features)?;
        let accuracies = block_on(knn(&bank, &queries, &NEIGHBOURS, TEMPERATURE))
            .context("k-NN on the device")?;

        Ok(TaskOutput {
            measures: measures(&accuracies),
            images,
            table: table(&accuracies),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let k = measure.strip_prefix(TOP1)?;
        Some(Curve::top1(format!("k = {k}")))
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
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.bank,
            val: self.queries,
        }
    }
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
