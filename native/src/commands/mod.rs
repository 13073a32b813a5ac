//! The command line: one file a command. Each states its arguments, calls what does the work, and
//! prints.

mod classify;
mod corrupt;
mod duplicates;
mod embed;
mod eval;
mod eval_subject;
mod export;
mod finetune;
mod images;
mod old_names;
mod pretrain;
mod runs;
mod search;
mod segment;
mod show;
mod suite;
mod track;
mod training;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::classify::ClassifyArgs;
use self::corrupt::CorruptArgs;
use self::duplicates::DuplicatesArgs;
use self::embed::EmbedArgs;
use self::eval::EvalCommand;
use self::export::ExportArgs;
use self::finetune::FinetuneArgs;
use self::old_names::OldCommand;
use self::pretrain::PretrainArgs;
use self::runs::RunsArgs;
use self::search::SearchArgs;
use self::segment::SegmentArgs;
use self::show::ShowCommand;
use self::suite::SuiteArgs;
use self::track::TrackArgs;
use crate::bench::{self, BenchArgs};

const HELP: &str = "\
Train, measure, look, and take the result elsewhere:
  ibot pretrain --data photos/ --out runs/photos
  ibot runs
  ibot eval suite --data photos/ --model runs/photos
  ibot show attention photo.jpg --model runs/photos
  ibot export --model runs/photos --to safetensors --out photos.safetensors

`ibot COMMAND --help` explains the inputs and outputs of a command, with examples.";

/// iBOT: image BERT pre-training with an online tokenizer.
#[derive(Debug, Parser)]
#[command(name = "ibot", version, after_help = HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pre-train a vision transformer on images without labels
    Pretrain(PretrainArgs),
    /// Teach a pre-trained network to classify images, from images with labels
    Finetune(FinetuneArgs),
    /// List the runs in a folder: their state, best figures, and what tells them apart
    Runs(RunsArgs),
    /// Measure the quality of a model's features, without training it further
    #[command(subcommand)]
    Eval(EvalCommands),
    /// Draw what a model has learned to see: attention, similar patches, segments and more
    #[command(subcommand)]
    Show(ShowCommand),
    /// Name the classes of images with a classifier: a backbone with a linear head
    Classify(ClassifyArgs),
    /// Find the images that are most like given ones
    Search(SearchArgs),
    /// Divide photographs into classes by a few masks, without training
    Segment(SegmentArgs),
    /// Find near duplicates among images
    Duplicates(DuplicatesArgs),
    /// Follow objects through the frames of a video, from their mask in the first one
    Track(TrackArgs),
    /// Write images as ImageNet-C corrupts them: 19 ways at five severities
    Corrupt(CorruptArgs),
    /// Write the features of images for other programs
    Embed(EmbedArgs),
    /// Write the weights of a model for other programs: safetensors with timm's names, or ONNX
    Export(ExportArgs),
    /// Measure the speed and memory of a training step, or of loading images
    Bench(BenchArgs),
    #[command(flatten)]
    Old(OldCommand),
}

#[derive(Debug, Subcommand)]
enum EvalCommands {
    // First, as it changes all subcommands that are there before it.
    #[command(flatten)]
    One(EvalCommand),
    /// Run all evaluations that the images allow, and write a report
    Suite(SuiteArgs),
}

/// Runs a command and returns its exit status.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Pretrain(args) => return pretrain::run(&args),
        Command::Finetune(args) => return finetune::run(&args),
        Command::Runs(args) => runs::run(&args)?,
        Command::Eval(EvalCommands::One(command)) => eval::run(&command)?,
        Command::Eval(EvalCommands::Suite(args)) => suite::run(&args)?,
        Command::Show(command) => show::run(&command)?,
        Command::Classify(args) => classify::run(&args)?,
        Command::Search(args) => search::run(&args)?,
        Command::Segment(args) => segment::run(&args)?,
        Command::Duplicates(args) => duplicates::run(&args)?,
        Command::Track(args) => track::run(&args)?,
        Command::Corrupt(args) => corrupt::run(&args)?,
        Command::Embed(args) => embed::run(&args)?,
        Command::Export(args) => export::run(&args)?,
        Command::Bench(args) => bench::run(&args)?,
        Command::Old(command) => old_names::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_evaluation_says_what_it_measures() {
        let mut command = Cli::command();
        let eval = command.find_subcommand_mut("eval").expect("a command");
        let help = eval.render_help().to_string();
        assert!(help.contains("Classify images by the nearest"), "{help}");
    }
}
