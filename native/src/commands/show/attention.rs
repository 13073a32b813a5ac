//! `ibot show attention`: where the CLS token looks.

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use ibot_core::analysis::attention::{MASS, mass_mask};
use ibot_core::features::ClsAttention;
use ibot_core::grid::GridRef;
use ibot_core::image::RgbImage;
use ibot_core::picture::{ColorScale, Heatmap, Interpolation, Range};
use serde_json::json;

use super::tokens::TokenArgs;
use crate::commands::images::Images;
use crate::report::figures::{self, AttentionMap};

const HELP: &str = "\
Examples:
  ibot show attention photo.jpg --model runs/photos
  ibot show attention frames/ --model vit_small.pth --style overlay --out overlay
  ffmpeg -i video.mp4 frames/%05d.png; ...; ffmpeg -pattern_type glob -i 'overlay/*.png' attention.mp4

Inputs   images: files, folders, .tar, lists, or DATA#INDEX for one image of a dataset.
Outputs  one picture for each image, numbered in order. It shows how much the CLS token attends to each patch, for each
         head of the last block, and below that the patches that hold --mass of the attention (paper section 4.3.1 and
         appendix). attention.json has the numbers.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct AttentionArgs {
    /// Images to draw
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<String>,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Share of a head's attention that the outlined patches hold
    #[arg(long, default_value_t = MASS)]
    mass: f64,
    /// sheet: all heads beside each other; overlay: their mean on the image at its own size, for
    /// videos
    #[arg(long, default_value = "sheet")]
    style: Style,
    /// Most images of a dataset, spread evenly over it [default: all]
    #[arg(long)]
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Style {
    Sheet,
    Overlay,
}

pub fn run(args: &AttentionArgs) -> Result<()> {
    ensure!(
        (0.0..=1.0).contains(&args.mass),
        "--mass {} is not a share between 0 and 1",
        args.mass
    );
    let images = Images::open(&args.images, args.limit.unwrap_or(usize::MAX))?;
    let (encoder, output) = args.tokens.open("attention")?;

    let mut numbers = Vec::with_capacity(images.len());
    for index in 0..images.len() {
        let image = images.load(index)?;
        let Some(attention) = encoder.encode(&image)?.attention else {
            bail!(
                "this network has no CLS token that attends to patches, so there is no attention to \
                 show; `ibot show similar` and `ibot show pca` need none"
            );
        };
        let picture = match args.style {
            Style::Sheet => sheet(&image, &attention, args.mass)?,
            Style::Overlay => overlay(&image, &attention),
        };
        output.picture(&format!("{}.png", images.file_stem(index)), &picture)?;
        let masks = attention.maps().map(|map| mass_mask(map, args.mass));
        numbers.push(json!({
            "image": images.name(index),
            "size": [image.width(), image.height()],
            "rows": attention.rows(),
            "columns": attention.columns(),
            "heads": attention.maps().collect::<Vec<_>>(),
            "masks": masks.map(|mask| patches_in(&mask)).collect::<Vec<_>>(),
        }));
    }
    output.numbers(
        "attention.json",
        json!({ "mass": args.mass, "images": numbers }),
    )
}

/// Every head and their mean, each with the patches that hold `mass` of its attention.
pub fn sheet(image: &RgbImage, attention: &ClsAttention, mass: f64) -> Result<RgbImage> {
    let (rows, columns) = (attention.rows(), attention.columns());
    let mean = attention.mean();
    let mut heads: Vec<(String, &[f32])> = Vec::new();
    for (head, map) in attention.maps().enumerate() {
        heads.push((format!("head {}", head + 1), map));
    }
    heads.push(("mean".to_owned(), mean.cells()));

    let masks: Vec<Vec<bool>> = heads.iter().map(|(_, map)| mass_mask(map, mass)).collect();
    let mut maps = Vec::with_capacity(heads.len());
    for ((title, weights), mask) in heads.into_iter().zip(&masks) {
        maps.push(AttentionMap {
            title,
            weights: GridRef::new(rows, columns, weights)?,
            mask: Some(GridRef::new(rows, columns, mask)?),
        });
    }
    Ok(figures::attention(image, &maps, Some(mass as f32)))
}

fn overlay(image: &RgbImage, attention: &ClsAttention) -> RgbImage {
    let mean = attention.mean();
    let heatmap = Heatmap {
        // Each image on a scale of its own: attention adds up to 1 over its patches.
        range: Range::of(mean.cells()),
        scale: ColorScale::Inferno,
        interpolation: Interpolation::Smooth,
        alpha: 0.65,
    };
    heatmap.draw(image, mean.view())
}

fn patches_in(mask: &[bool]) -> Vec<usize> {
    (0..mask.len()).filter(|patch| mask[*patch]).collect()
}
