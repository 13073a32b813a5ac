//! `ibot show`: what the patch tokens of a model know (paper section 4.3 and appendices), in
//! pictures. Each command shows images to a frozen network, hands the tokens to
//! `ibot_core`, and writes pictures and their numbers.

pub(super) mod attention;
mod correspond;
pub(super) mod output;
mod patterns;
pub(super) mod pca;
mod segments;
pub(super) mod similar;
pub(super) mod tokens;

use anyhow::Result;
use clap::Subcommand;

pub use self::attention::AttentionArgs;
pub use self::correspond::CorrespondArgs;
pub use self::patterns::PatternsArgs;
pub use self::pca::PcaArgs;
pub use self::segments::SegmentsArgs;
pub use self::similar::SimilarArgs;

#[derive(Debug, Subcommand)]
pub enum ShowCommand {
    /// Draw where the CLS token looks, head by head (paper section 4.3.1)
    Attention(AttentionArgs),
    /// Draw which patches are like the one under a point, in one image or across images
    Similar(SimilarArgs),
    /// Draw which patches of two images correspond; score them against ground truth
    Correspond(CorrespondArgs),
    /// Draw patch tokens as colors, by their principal components
    Pca(PcaArgs),
    /// Draw what each prototype of the online tokenizer stands for (paper figure 4)
    Patterns(PatternsArgs),
    /// Divide images into segments without labels
    Segments(SegmentsArgs),
}

pub fn run(command: &ShowCommand) -> Result<()> {
    match command {
        ShowCommand::Attention(args) => attention::run(args),
        ShowCommand::Similar(args) => similar::run(args),
        ShowCommand::Correspond(args) => correspond::run(args),
        ShowCommand::Pca(args) => pca::run(args),
        ShowCommand::Patterns(args) => patterns::run(args),
        ShowCommand::Segments(args) => segments::run(args),
    }
}
