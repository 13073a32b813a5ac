//! Logistic regression on frozen features.

use anyhow::{Error, Result, anyhow};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::eval::logistic::{LAMBDAS, LogisticError, LogisticFit, logistic};
use serde::{Deserialize, Serialize};

use super::measures::Measures;
use super::sets::{SetLimits, Sets, Subset};
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use crate::data::Dataset;
use crate::features::Readout;

const HELP: &str = "\
Examples:
  ibot eval logistic --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar
  ibot eval logistic --data imagenet/train --val imagenet/val --model vit_small.pth --lambdas 0.1
  ibot eval logistic --data photos/ --model pixels

A multinomial logistic regression learns the classes of --data from the CLS tokens, which are scaled to length 1, and
classifies the images of --val. It minimises the mean cross-entropy plus lambda / 2 times the squared weights, without
intercept, until the duality gap is 1e-12 of that. Without --val, a part of --data is classified by the rest. With
--model pixels it learns from the images themselves, without a network.
Prints the top-1 for each lambda, with the objective, the norm of its gradient and the duality gap at the end.";

// The penalty that the official evaluation finds best as a rule.
const QUOTED: f64 = 0.1;
/// Measures are `top1_lambda0.1` and so on.
const TOP1: &str = "top1_lambda";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Logistic {
    /// Weights of the penalty, each a regression of its own
    #[arg(long, value_name = "LAMBDAS", value_delimiter = ',', default_values_t = LAMBDAS)]
    pub lambdas: Vec<f64>,
    /// Most images to learn from, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to classify, spread evenly over the set [default: all, or 2000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
}

impl Default for Logistic {
    fn default() -> Self {
        Self {
            lambdas: LAMBDAS.to_vec(),
            train_images: None,
            val_images: None,
        }
    }
}

impl EvalTask for Logistic {
    fn title(&self) -> &'static str {
        "Logistic regression"
    }

    fn name(&self) -> &'static str {
        "logistic"
    }

    fn paper(&self) -> &'static str {
        "table 12"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class a regression on CLS tokens finds: high where planes \
         divide the classes. A larger lambda holds the regression closer to the classes' means."
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
            ("train", sets.train.indices.len()),
            ("val", sets.val.indices.len()),
        ];

        let train = sets.train.labelled(Readout::CLS, subject.features)?;
        let val = sets.val.labelled(Readout::CLS, subject.features)?;
        let classes = subject.data.classes().len();
        let fits = block_on(logistic(&train, &val, classes, &self.lambdas))
            .map_err(|error| explained(error, &sets.train))?;

        Ok(TaskOutput {
            measures: measures(&fits),
            images,
            table: table(&fits),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let lambda = measure.strip_prefix(TOP1)?;
        Some(Curve::top1(format!("lambda = {lambda}")))
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        let usual = format!("{TOP1}{QUOTED}");
        let mut first = None;
        for (name, _) in measures.iter() {
            if name == usual {
                return Some(name);
            }
            if first.is_none() && name.starts_with(TOP1) {
                first = Some(name);
            }
        }
        first
    }
}

impl Logistic {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }
}

fn explained(error: LogisticError, train: &Subset) -> Error {
    let LogisticError::MissingClass(class) = error else {
        return Error::new(error).context("logistic regression");
    };
    let name = train.data.classes().get(class);
    let name = name.map_or(class.to_string(), Clone::clone);
    let (count, data) = (train.indices.len(), train.data.description());
    anyhow!(
        "no image of class `{name}` is among the {count} images of {data} to learn from: a logistic \
         regression needs every class, so give more images"
    )
}

fn measures(fits: &[LogisticFit]) -> Measures {
    let mut measures = Measures::default();
    for fit in fits {
        let lambda = fit.lambda;
        measures.push(format!("{TOP1}{lambda}"), fit.top1);
        measures.push(format!("objective_lambda{lambda}"), fit.objective);
        measures.push(format!("gradient_lambda{lambda}"), fit.gradient_norm);
        measures.push(format!("gap_lambda{lambda}"), fit.gap);
    }
    measures
}

fn table(fits: &[LogisticFit]) -> String {
    let mut table = "  lambda   top-1   objective  gradient   duality gap  iterations".to_owned();
    for fit in fits {
        let LogisticFit {
            lambda,
            objective,
            gradient_norm,
            gap,
            iterations,
            ..
        } = fit;
        let top1 = 100.0 * fit.top1;
        table += &format!(
            "\n{lambda:8}  {top1:5.1} %  {objective:9.6}   {gradient_norm:7.1e}       {gap:7.1e}  {iterations:10}"
        );
    }
    table
}
