//! `ibot show pca`: patch tokens as colors.

use anyhow::{Context as _, Result};
use clap::Args;
use ibot_core::analysis::foreground::{foreground_colors, joint_colors};
use ibot_core::analysis::grid::TokenGrid;
use ibot_core::picture::PatchGrid;
use serde_json::json;

use super::images::Images;
use super::tokens::TokenArgs;
use crate::report::figures::{self, PcaImage};

const HELP: &str = "\
Examples:
  ibot show pca photo1.jpg photo2.jpg --model runs/photos
  ibot show pca horses/ --limit 8 --foreground --model vit_small.safetensors

Outputs  pca.png: each image above its patches, whose first three principal components, of all images together, are
         red, green and blue: parts that are alike have the same color in all images; pca.json.
         With --foreground, as in DINOv2, the first component separates object and background, and the colors are the
         components of the objects alone.";

/// Options of `ibot show pca`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct PcaArgs {
    /// Images to compare: files, folders, .tar, lists, or DATA#INDEX
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<String>,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Color the foreground alone: patches above THRESHOLD standard deviations of the first
    /// component
    #[arg(long, value_name = "THRESHOLD", num_args = 0..=1, default_missing_value = "0", allow_negative_numbers = true)]
    foreground: Option<f64>,
    /// Images beside each other
    #[arg(long, default_value_t = 4)]
    columns: usize,
    /// Most images of a dataset, spread evenly over it
    #[arg(long, default_value_t = 16)]
    limit: usize,
}

/// Runs `ibot show pca`.
///
/// # Errors
/// If an image or the model cannot be read, the tokens do not vary, or a file cannot be written.
pub fn run(args: &PcaArgs) -> Result<()> {
    let images = Images::open(&args.images, args.limit)?;
    let (encoder, output) = args.tokens.open("pca")?;
    let originals = (0..images.len())
        .map(|index| images.load(index))
        .collect::<Result<Vec<_>>>()?;
    let grids = originals
        .iter()
        .map(|image| Ok(encoder.encode(image)?.patches))
        .collect::<Result<Vec<TokenGrid>>>()?;
    let (colors, pca) = match args.foreground {
        Some(threshold) => {
            let colored = foreground_colors(&grids, threshold).context("PCA of the foreground")?;
            (colored.images, colored.foreground)
        }
        None => joint_colors(&grids).context("PCA")?,
    };
    let shown = originals
        .iter()
        .zip(&grids)
        .zip(&colors)
        .map(|((image, grid), colors)| {
            let foreground = PatchGrid::new(grid.rows(), grid.columns(), &colors.foreground)?;
            Ok(PcaImage {
                image,
                colors: PatchGrid::new(grid.rows(), grid.columns(), &colors.rgb)?,
                foreground: args.foreground.map(|_| foreground),
            })
        });
    let shown = shown.collect::<Result<Vec<_>>>()?;
    output.picture("pca.png", &figures::pca(&shown, args.columns.max(1)))?;
    let shares = pca.variance_shares();
    println!(
        "variance of the components: {}",
        shares
            .iter()
            .map(|s| format!("{:.1} %", 100.0 * s))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let numbers = grids
        .iter()
        .zip(&colors)
        .enumerate()
        .map(|(index, (grid, colors))| {
            json!({
                "image": images.name(index),
                "rows": grid.rows(),
                "columns": grid.columns(),
                "rgb": colors.rgb,
                "foreground": colors.foreground,
            })
        });
    output.numbers(
        "pca.json",
        json!({ "variance_shares": shares, "images": numbers.collect::<Vec<_>>() }),
    )
}
