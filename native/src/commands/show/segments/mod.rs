//! `ibot show segments`: images divided into segments without labels.

mod method;
mod score;
mod segmented;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use ibot_core::analysis::affinity::TAU;
use ibot_core::grid::GridRef;
use ibot_core::image::RgbImage;
use serde_json::json;

use self::method::Method;
use self::score::{binary, score};
use self::segmented::Segmented;
use super::tokens::TokenArgs;
use crate::commands::images::Images;
use crate::report::figures::{self, SegmentRow};

const HELP: &str = "\
Examples:
  ibot show segments photos/ --model runs/photos
  ibot show segments photos/ --segments 8 --model vit_small.safetensors
  ibot show segments builtin:val --method ncut --limit 100 --model runs/builtin

Methods  kmeans  k-means (cosine) over the patch tokens of all images together: segment 3 means the same in all images.
         ncut    normalised cut of the patches of each image, after subtracting their mean: object and background as in
                 TokenCut, or k segments.
Outputs  segments.png shows each image, its segments, and the true segments where they are known (builtin, or --labels).
         segments.json has the segment of each patch. With true segments, mean IoU over pixels is printed, after
         Hungarian matching of segments and labels. With two segments the labels are reduced to object and background.
         With ncut each image is matched separately.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SegmentsArgs {
    /// Images to segment: files, folders, .tar, lists, or DATA#INDEX
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<String>,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Number of segments
    #[arg(long, default_value_t = 2)]
    segments: usize,
    /// How to find segments
    #[arg(long, default_value = "kmeans")]
    method: Method,
    /// For ncut: two patches are connected if their cosine is above this
    #[arg(long, default_value_t = TAU)]
    tau: f32,
    /// Folder of masks (.png of the image's name): indices of a palette, gray values or colors are
    /// labels, black is background
    #[arg(long, value_name = "FOLDER")]
    labels: Option<PathBuf>,
    /// Most images of a dataset, spread evenly over it
    #[arg(long, default_value_t = 64)]
    limit: usize,
    /// At most so many images in the picture
    #[arg(long, default_value_t = 8)]
    show: usize,
}

pub fn run(args: &SegmentsArgs) -> Result<()> {
    let count = args.segments;
    ensure!(count >= 2, "--segments {count} is too few; give 2 or more");
    let images = Images::open(&args.images, args.limit)?;
    let (encoder, output) = args.tokens.open("segments")?;

    let mut results = Vec::with_capacity(images.len());
    for index in 0..images.len() {
        let image = images.load(index)?;
        let mut truth = images.labels(index, args.labels.as_deref())?;
        // Two segments are an object and what is around it.
        if count == 2 {
            truth = truth.as_ref().map(binary).transpose()?;
        }
        results.push(Segmented {
            name: images.name(index),
            patches: encoder.encode(&image)?.patches,
            segments: Vec::new(),
            truth,
            // Only what is drawn stays in memory.
            image: (index < args.show).then_some(image),
        });
    }
    match args.method {
        Method::Kmeans => method::kmeans_of_all(&mut results, count)?,
        Method::Ncut => method::ncut_of_each(&mut results, count, args.tau)?,
    }

    output.picture("segments.png", &picture(&results)?)?;
    let score = score(args.method, &results)?;
    if let Some(score) = &score {
        let percent = 100.0 * score.mean_iou;
        println!(
            "mean IoU {percent:.1} % over {} labelled images",
            score.images
        );
    }
    let mut numbers = Vec::with_capacity(results.len());
    for result in &results {
        numbers.push(json!({
            "image": result.name,
            "rows": result.patches.rows(),
            "columns": result.patches.columns(),
            "segments": result.segments,
        }));
    }
    output.numbers(
        "segments.json",
        json!({ "score": score, "images": numbers }),
    )
}

fn picture(results: &[Segmented]) -> Result<RgbImage> {
    let mut rows = Vec::new();
    for result in results {
        let Some(image) = &result.image else { continue };
        let patches = &result.patches;
        rows.push(SegmentRow {
            image,
            prediction: GridRef::new(patches.rows(), patches.columns(), &result.segments)?,
            truth: result.truth.as_ref().map(|map| map.view()),
        });
    }
    Ok(figures::segments(&rows))
}
