//! `ibot show pca`: patch tokens as colors.

use anyhow::{Context as _, Result};
use clap::Args;
use ibot_core::analysis::foreground::{PatchColors, foreground_colors, joint_colors};
use ibot_core::features::TokenGrid;
use ibot_core::grid::GridRef;
use ibot_core::image::RgbImage;
use serde_json::json;

use super::tokens::TokenArgs;
use crate::commands::images::Images;
use crate::report::figures::{self, PcaImage};

const HELP: &str = "\
Examples:
  ibot show pca photo1.jpg photo2.jpg --model runs/photos
  ibot show pca horses/ --limit 8 --foreground --model vit_small.safetensors

Outputs  pca.png shows each image above its patches. Red, green and blue are the first three principal components of
         the patches of all images together, so similar parts have the same color in all images. pca.json has the
         numbers. With --foreground, as in DINOv2, the first component separates objects from the background, and the
         colors are the components of the objects alone.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct PcaArgs {
    /// Images to compare: files, folders, .tar, lists, or DATA#INDEX
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<String>,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Color only the foreground: patches above THRESHOLD standard deviations of the first
    /// component
    #[arg(long, value_name = "THRESHOLD", num_args = 0..=1, default_missing_value = "0", allow_negative_numbers = true)]
    foreground: Option<f64>,
    /// Number of images in a row
    #[arg(long, default_value_t = 4)]
    columns: usize,
    /// Most images of a dataset, spread evenly over it
    #[arg(long, default_value_t = 16)]
    limit: usize,
}

pub fn run(args: &PcaArgs) -> Result<()> {
    let images = Images::open(&args.images, args.limit)?;
    let (encoder, output) = args.tokens.open("pca")?;
    // All images are kept: components are of all tokens together.
    let mut originals = Vec::with_capacity(images.len());
    let mut grids: Vec<TokenGrid> = Vec::with_capacity(images.len());
    for index in 0..images.len() {
        let image = images.load(index)?;
        grids.push(encoder.encode(&image)?.patches);
        originals.push(image);
    }
    let (colors, pca) = match args.foreground {
        Some(threshold) => {
            let colored = foreground_colors(&grids, threshold).context("PCA of the foreground")?;
            (colored.images, colored.foreground)
        }
        None => joint_colors(&grids).context("PCA")?,
    };

    let mut numbers = Vec::with_capacity(images.len());
    for (index, colors) in colors.iter().enumerate() {
        numbers.push(json!({
            "image": images.name(index),
            "rows": grids[index].rows(),
            "columns": grids[index].columns(),
            "rgb": colors.rgb,
            "foreground": colors.foreground,
        }));
    }
    let shown = ColoredImages {
        images: &originals,
        grids: &grids,
        colors: &colors,
        only_foreground: args.foreground.is_some(),
    };
    output.picture("pca.png", &shown.draw(args.columns.max(1))?)?;

    let shares = pca.variance_shares();
    let percent: Vec<String> = shares
        .iter()
        .map(|share| format!("{:.1} %", 100.0 * share))
        .collect();
    println!("variance of the components: {}", percent.join(", "));
    output.numbers(
        "pca.json",
        json!({ "variance_shares": shares, "images": numbers }),
    )
}

/// Images and the colors of their patches.
pub struct ColoredImages<'a> {
    pub images: &'a [RgbImage],
    pub grids: &'a [TokenGrid],
    pub colors: &'a [PatchColors],
    /// Whether the patches of the background are left out.
    pub only_foreground: bool,
}

impl ColoredImages<'_> {
    /// Draws each image above its patches, `columns` in a row.
    pub fn draw(&self, columns: usize) -> Result<RgbImage> {
        let mut shown = Vec::with_capacity(self.images.len());
        for (index, colors) in self.colors.iter().enumerate() {
            let (rows, across) = (self.grids[index].rows(), self.grids[index].columns());
            let foreground = GridRef::new(rows, across, &colors.foreground)?;
            shown.push(PcaImage {
                image: &self.images[index],
                colors: GridRef::new(rows, across, &colors.rgb)?,
                foreground: self.only_foreground.then_some(foreground),
            });
        }
        Ok(figures::pca(&shown, columns))
    }
}
