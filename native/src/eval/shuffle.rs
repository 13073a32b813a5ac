//! Accuracy on images whose cells have changed their places.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use ibot_core::eval::shuffle::Cells;
use serde::{Deserialize, Serialize};

use super::judge::Judge;
use super::measures::Measures;
use super::sets::SetLimits;
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use super::views::{RightCount, ViewDraws, for_each_views};
use crate::data::Dataset;
use crate::features::Readout;
use crate::files::write_atomically;
use crate::report::curves::{Chart, curves_svg};

const HELP: &str = "\
Examples:
  ibot eval shuffle --data imagenet/val --model classifier.safetensors --svg shuffle.svg
  ibot eval shuffle --data builtin --val builtin:val --model runs/builtin --beside pixels,untrained

Images are cut into cells of pixels, which change their places at random before the network sees them: 2x2, 2x4, 4x4,
4x8, 8x8, 14x14 and 16x16 cells, as far as these divide the image. What still finds the class needs no shape of the whole.
The classes are found by the linear head of the model's file, by --head FILE (of `ibot eval linear --save-head`), or
else by a head that is fitted to clean images of --data. Pixels and random weights always get a head of their own.
Every image gets an order of its own; the official code shuffles all images of a batch alike (--batch 1024).";

/// Measures are `top1_cells4` and so on; one cell is the clean image.
const TOP1: &str = "top1_cells";
const CLEAN: Cells = Cells::new(1, 1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Shuffle {
    /// File of a linear head, or `fit` [default: the head of the model's file, or else `fit`]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<PathBuf>,
    /// Images that share an order of the cells
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: usize,
    /// Most images to fit a head to, spread evenly over the set [default: all, or 10000 if --val is
    /// missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Most images to judge, spread evenly over the set [default: all, or 2000 if a head is fitted
    /// and --val is missing]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
    /// Seed of the orders
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Draw the curve of accuracy over cells into an SVG file
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub svg: Option<PathBuf>,
}

impl Default for Shuffle {
    fn default() -> Self {
        Self {
            head: None,
            batch: 1,
            train_images: None,
            val_images: None,
            seed: 0,
            svg: None,
        }
    }
}

impl EvalTask for Shuffle {
    fn title(&self) -> &'static str {
        "Shuffled cells"
    }

    fn name(&self) -> &'static str {
        "shuffle"
    }

    fn paper(&self) -> &'static str {
        "figure 10"
    }

    fn meaning(&self) -> &'static str {
        "It is the share of images whose class is found when their cells have changed places: high \
         where the class shows in small pieces, without the shape of the whole."
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.classes().len() > 1 && !self.limits().is_empty()
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Judge::FITTED_READOUT]
    }

    fn needs_linear_head(&self) -> bool {
        true
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        ensure!(self.batch > 0, "a batch needs at least one image");
        let features = subject.features;
        let side = features.view().size;
        let (judge, images) = Judge::choose(self.head.as_deref(), subject, self.limits())?;
        let expected = judge.places_of(images.data)?;

        let mut grids = vec![CLEAN];
        grids.extend(Cells::OFFICIAL.into_iter().filter(|cells| cells.fit(side)));
        let mut tallies = vec![RightCount::default(); grids.len()];
        let draws = ViewDraws {
            seed: self.seed,
            batch: self.batch,
        };
        let judged = for_each_views(&images, features, &mut |views| {
            for (setting, (cells, tally)) in grids.iter().zip(&mut tallies).enumerate() {
                let mut pixels = Vec::with_capacity(views.pixels.len());
                for (image, place) in views.images().zip(&views.places) {
                    let order = cells.order(&mut draws.stream(setting, *place));
                    pixels.extend(cells.shuffled(image, side, &order));
                }
                tally.add(views.judge(pixels, &judge, &expected, features)?);
            }
            Ok(())
        })?;

        let scores: Vec<(Cells, f64)> = grids
            .into_iter()
            .zip(tallies)
            .map(|(cells, tally)| (cells, tally.top1()))
            .collect();
        if let Some(file) = &self.svg {
            write_atomically(file, picture(&scores, judge.classes()).as_bytes())?;
        }
        Ok(TaskOutput {
            measures: measures(&scores),
            images: judge.roles(judged),
            table: table(&scores, &judge, side),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let cells = measure.strip_prefix(TOP1)?;
        Some(Curve::top1(format!("cells = {cells}")))
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named("top1_cells16").or_else(|| {
            let names = measures.iter().map(|(name, _)| name);
            names.rev().find(|name| name.starts_with(TOP1))
        })
    }
}

impl Shuffle {
    fn limits(&self) -> SetLimits {
        SetLimits {
            train: self.train_images,
            val: self.val_images,
        }
    }
}

fn measures(scores: &[(Cells, f64)]) -> Measures {
    let mut measures = Measures::default();
    for (cells, top1) in scores {
        measures.push(format!("{TOP1}{}", cells.count()), *top1);
    }
    measures
}

fn table(scores: &[(Cells, f64)], judge: &Judge, side: usize) -> String {
    let mut table = format!("by a {}\n\n  cells   top-1", judge.line());
    for (Cells { rows, columns }, top1) in scores {
        let cells = format!("{rows}x{columns}");
        table += &format!("\n{cells:>7}  {:5.1} %", 100.0 * top1);
    }

    let unfit = Cells::OFFICIAL.into_iter().filter(|cells| !cells.fit(side));
    let unfit: Vec<String> = unfit
        .map(|Cells { rows, columns }| format!("{rows}x{columns}"))
        .collect();
    if !unfit.is_empty() {
        let unfit = unfit.join(", ");
        table += &format!("\n{unfit} cells do not divide images of {side} x {side} pixels.");
    }
    table
}

/// An SVG of the accuracy over the number of cells, beside that of a guess.
fn picture(scores: &[(Cells, f64)], classes: usize) -> String {
    let mut chart = Chart {
        title: "top-1".to_owned(),
        unit: Some("%".to_owned()),
        x_label: "cells".to_owned(),
        references: vec![("chance".to_owned(), 100.0 / classes as f64)],
        ..Chart::default()
    };
    for (cells, top1) in scores {
        let point = (cells.count() as f64, 100.0 * top1);
        chart.add_point("shuffled".to_owned(), point);
    }
    curves_svg("Images whose cells change places", &[chart])
}
