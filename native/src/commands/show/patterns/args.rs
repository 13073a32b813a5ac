//! Options of `ibot show patterns`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::commands::show::tokens::TokenArgs;

const HELP: &str = "\
Examples:
  ibot show patterns --data builtin:val --model runs/builtin
  ibot show patterns --data photos/ --kmeans 64 --model vit_small.safetensors
  ibot show patterns --data photos/ --tokens cls --model checkpoint.pth

Outputs  patterns.png shows, for the most used prototypes, the patches with the highest scores in their context, and the
         share of all patches that belong to the prototype (paper section 4.3.1, figure 4 and appendix). usage.png shows
         how often each prototype is used. patterns.json has the numbers. Where part labels are known (builtin, or
         --labels), part purity is printed: the share of a prototype's patches that show its most common part, beside
         the same by chance.
         Prototypes need a model with its iBOT head: a run, or a training checkpoint. --kmeans needs no head.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct PatternsArgs {
    /// Images to search: files, folders, .tar, lists, or DATA#INDEX
    #[arg(long, required = true, num_args = 1..)]
    pub(super) data: Vec<String>,
    #[command(flatten)]
    pub(super) tokens: TokenArgs,
    /// Which tokens to use: those of patches, or CLS for whole images
    #[arg(long = "tokens", default_value = "patch")]
    pub(super) kind: TokenKind,
    /// Use K clusters of k-means (cosine) in place of the head's prototypes
    #[arg(long, value_name = "K")]
    pub(super) kmeans: Option<usize>,
    /// Number of prototypes to show, the most used first
    #[arg(long, default_value_t = 20)]
    pub(super) show: usize,
    /// Number of patches to show of each prototype
    #[arg(long, default_value_t = 36)]
    pub(super) top: usize,
    /// At most so many patches of one image for a prototype
    #[arg(long, default_value_t = 1)]
    pub(super) per_image: usize,
    /// Side of the context around a patch, in patches
    #[arg(long, default_value_t = 5)]
    pub(super) context: usize,
    /// Folder of masks (.png of the image's name): indices of a palette, gray values or colors are
    /// parts, black is none
    #[arg(long, value_name = "FOLDER")]
    pub(super) labels: Option<PathBuf>,
    /// Most images, spread evenly over the data
    #[arg(long, default_value_t = 500)]
    pub(super) limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenKind {
    Patch,
    Cls,
}
