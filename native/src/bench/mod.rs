//! `ibot bench`: how fast a training step is on this machine, where its time goes, and what memory
//! it takes.

mod batches;
mod configuration;
mod exchange;
mod loading;
mod matmul;
mod phases;
mod photo;
mod step;
mod timed_engine;

use std::fmt::Display;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;

use crate::device;
use crate::device::DeviceChoice;
use crate::settings::{RECIPES, Settings};

pub const HELP: &str = "\
Examples:
  ibot bench --recipe vit-small-imagenet --set optim.batch_size=4
  ibot bench --recipe cpu-quick --set model.dim=192 --shards 1 --json
  ibot bench --recipe vit-small-imagenet --loading
  ibot bench --recipe vit-base-imagenet --exchange

A step is measured on random crops, without decoding and augmentation, as training computes it: on a CPU one shard a
core. Seconds a step are the shortest and the mean of --steps; other work on the machine makes them longer, never
shorter. Phases are measured after that, in further steps that wait for the device at the end of each phase; all shards
run at the same time there too. FLOP/s count the matrix products of the configuration, two operations for each
multiply-accumulate, and are compared with those of a large matrix product in optim.precision on the same device and
threads. Memory is resident memory of the whole process (Linux).

--loading measures decoding and augmentation instead: a 400 x 400 image in memory to the recipe's crops on one thread,
and 500 x 375 JPEGs (drawn, quality 90) decoded and augmented on one thread and on all cores.

--exchange measures how long workers take to add up the gradients of the recipe's network, from the device and back:
docs/scale.md has figures.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct BenchArgs {
    /// Settings inside the program
    #[arg(long, default_value = "builtin", conflicts_with = "config", value_parser = clap::builder::PossibleValuesParser::new(RECIPES.map(|(name, _)| name)))]
    recipe: String,
    /// Settings in a TOML file, such as the config.toml of a run
    #[arg(long)]
    config: Option<PathBuf>,
    /// Change one setting, for example optim.batch_size=4; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Steps to measure
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Steps before that
    #[arg(long, value_name = "N", default_value_t = 2)]
    warmup: u32,
    /// Shards of a batch computed at the same time [default: that of the settings; one a core on a
    /// CPU]
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Measure decoding and augmentation in place of the step
    #[arg(long)]
    loading: bool,
    /// Measure the sum of gradients over N workers in place of the step: threads, or all processes
    /// of mpirun
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "2", conflicts_with = "loading", value_parser = clap::value_parser!(u16).range(2..))]
    exchange: Option<u16>,
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

pub fn run(args: &BenchArgs) -> Result<()> {
    let settings = match &args.config {
        Some(file) => Settings::from_file(file, &args.set)?,
        None => Settings::from_recipe(&args.recipe, &args.set)?,
    };

    if args.loading {
        return show(&loading::measure(&settings.config)?, args.json);
    }
    if let Some(workers) = args.exchange {
        let device = device::select(args.device)?.device;
        let report = exchange::measure(&settings, workers.into(), &device, args.steps)?;
        return match report {
            Some(report) => show(&report, args.json),
            None => Ok(()),
        };
    }

    let options = step::Options {
        device: args.device,
        shards: args.shards,
        warmup: args.warmup,
        steps: args.steps,
    };
    show(&step::measure(&options, &settings)?, args.json)
}

fn show<T: Serialize + Display>(report: &T, json: bool) -> Result<()> {
    if json {
        println!(
            "{}",
            serde_json::to_string(report).context("cannot write JSON")?
        );
    } else {
        println!("{report}");
    }
    Ok(())
}
