//! Commands under the names that they had before `ibot eval` and `ibot show`. They are hidden, and
//! go after one release.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::eval::{self, EvalArgs, EvalCommand};
use super::show::{self, ShowCommand};
use crate::eval::{Evaluation, Knn};

#[derive(Debug, Subcommand)]
pub enum OldCommand {
    /// Now `ibot eval knn`
    #[command(hide = true)]
    Knn(KnnArgs),
    /// Now `ibot show attention`
    #[command(hide = true)]
    Attention(show::AttentionArgs),
    /// Now `ibot show similar`
    #[command(hide = true)]
    Similar(show::SimilarArgs),
    /// Now `ibot show correspond`
    #[command(hide = true)]
    Correspond(show::CorrespondArgs),
    /// Now `ibot show pca`
    #[command(hide = true)]
    Pca(show::PcaArgs),
    /// Now `ibot show patterns`
    #[command(hide = true)]
    Patterns(show::PatternsArgs),
}

#[derive(Debug, Args)]
pub struct KnnArgs {
    #[command(flatten)]
    knn: Knn,
    #[command(flatten)]
    args: EvalArgs,
}

pub fn run(command: OldCommand) -> Result<()> {
    let command = match command {
        OldCommand::Knn(KnnArgs { knn, args }) => {
            let evaluation = Evaluation::Knn(knn);
            return eval::run(&EvalCommand { evaluation, args });
        }
        OldCommand::Attention(args) => ShowCommand::Attention(args),
        OldCommand::Similar(args) => ShowCommand::Similar(args),
        OldCommand::Correspond(args) => ShowCommand::Correspond(args),
        OldCommand::Pca(args) => ShowCommand::Pca(args),
        OldCommand::Patterns(args) => ShowCommand::Patterns(args),
    };
    show::run(&command)
}
