//! `ibot show segments`: images cut into parts without labels.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use ibot_core::analysis::affinity::{Affinity, TAU};
use ibot_core::analysis::geometry::PatchGeometry;
use ibot_core::analysis::grid::TokenGrid;
use ibot_core::analysis::kmeans::{KMeansConfig, kmeans};
use ibot_core::analysis::ncut::CutError;
use ibot_core::analysis::rows::Rows;
use ibot_core::annotation::labels::LabelMap;
use ibot_core::metrics::contingency::Contingency;
use ibot_core::picture::PatchGrid;
use serde_json::{Value, json};

use super::images::Images;
use super::tokens::TokenArgs;
use crate::report::figures::{self, SegmentRow};

const HELP: &str = "\
Examples:
  ibot show segments photos/ --model runs/photos
  ibot show segments photos/ --segments 8 --model vit_small.safetensors
  ibot show segments builtin:val --method ncut --limit 100 --model runs/builtin

Methods  kmeans  k-means (cosine) of the patch tokens of all images together: segment 3 means the same in all.
         ncut    normalised cut of each image's own patches, less their mean: object and background as in TokenCut,
                 or k segments.
Outputs  segments.png: image, segments, and the true ones where known (builtin, or --labels); segments.json with the
         segment of each patch; mean IoU after Hungarian matching of segments and labels, over pixels. With two
         segments the labels are object and background; with ncut each image is matched by itself.";

/// Gray value of label pictures that is left out of the score (the border of PASCAL VOC).
const IGNORED: usize = 255;

/// Options of `ibot show segments`.
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
    /// How to segment
    #[arg(long, default_value = "kmeans")]
    method: Method,
    /// With ncut: cosine above which two patches belong together
    #[arg(long, default_value_t = TAU)]
    tau: f32,
    /// Folder of label pictures (.png of the image's name): gray values or colors are labels, black
    /// is background
    #[arg(long, value_name = "FOLDER")]
    labels: Option<PathBuf>,
    /// Most images of a dataset, spread evenly over it
    #[arg(long, default_value_t = 64)]
    limit: usize,
    /// Most images in the picture
    #[arg(long, default_value_t = 8)]
    show: usize,
    /// Name of the pictures and numbers, and of their folder: an old name of the command has other
    /// ones.
    #[arg(skip = "segments")]
    pub stem: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    Kmeans,
    Ncut,
}

/// Runs `ibot show segments`.
///
/// # Errors
/// If an image, its labels or the model cannot be read, patches cannot be segmented, or a file
/// cannot be written.
pub fn run(args: &SegmentsArgs) -> Result<()> {
    ensure!(
        args.segments >= 2,
        "--segments {} cuts nothing; give 2 or more",
        args.segments
    );
    let images = Images::open(&args.images, args.limit)?;
    let (encoder, output) = args.tokens.open(args.stem)?;
    let (mut grids, mut truths, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..images.len() {
        let image = images.load(index)?;
        grids.push(encoder.encode(&image)?.patches);
        let truth = images.labels(index, args.labels.as_deref())?;
        truths.push(
            truth
                .map(|truth| classes(&truth, args.segments))
                .transpose()?,
        );
        if index < args.show {
            shown.push(image);
        }
    }
    let labels = match args.method {
        Method::Kmeans => by_kmeans(&grids, args.segments)?,
        Method::Ncut => by_ncut(&grids, &images, args.segments, args.tau)?,
    };
    let rows = shown.iter().zip(&grids).zip(&labels).zip(&truths).map(
        |(((image, grid), labels), truth)| {
            let truth = truth
                .as_ref()
                .map(|truth| PatchGrid::new(truth.height(), truth.width(), truth.labels()));
            Ok(SegmentRow {
                image,
                prediction: PatchGrid::new(grid.rows(), grid.columns(), labels)?,
                truth: truth.transpose()?,
            })
        },
    );
    output.picture(
        &format!("{}.png", args.stem),
        &figures::segments(&rows.collect::<Result<Vec<_>>>()?),
    )?;
    let score = score(args.method, &grids, &labels, &truths)?;
    if let Some(score) = &score {
        println!(
            "mean IoU {:.1} % over {} labelled images",
            100.0 * score["mean_iou"].as_f64().unwrap_or(0.0),
            score["images"]
        );
    }
    let numbers = grids.iter().zip(&labels).enumerate().map(|(index, (grid, labels))| {
        json!({ "image": images.name(index), "rows": grid.rows(), "columns": grid.columns(), "segments": labels })
    });
    output.numbers(
        &format!("{}.json", args.stem),
        json!({ "score": score, "images": numbers.collect::<Vec<_>>() }),
    )
}

/// With two segments the question is object or background.
fn classes(truth: &LabelMap, segments: usize) -> Result<LabelMap> {
    if segments > 2 {
        return Ok(truth.clone());
    }
    let binary = truth.labels().iter().map(|label| {
        if *label == IGNORED {
            IGNORED
        } else {
            usize::from(*label != 0)
        }
    });
    Ok(LabelMap::new(
        truth.width(),
        truth.height(),
        binary.collect(),
    )?)
}

fn by_kmeans(grids: &[TokenGrid], segments: usize) -> Result<Vec<Vec<usize>>> {
    let clustered = kmeans(&Rows::of_grids(grids)?, &KMeansConfig::new(segments))?;
    let mut labels = clustered.labels.into_iter();
    Ok(grids
        .iter()
        .map(|grid| labels.by_ref().take(grid.count()).collect())
        .collect())
}

fn by_ncut(
    grids: &[TokenGrid],
    images: &Images,
    segments: usize,
    tau: f32,
) -> Result<Vec<Vec<usize>>> {
    let cut = |grid: &TokenGrid| -> Result<Vec<usize>, CutError> {
        let affinity = Affinity::of_tokens(&grid.clone().centered(), tau)?;
        if segments > 2 {
            return affinity.segments(segments, 0);
        }
        Ok(affinity
            .bipartition()?
            .foreground
            .into_iter()
            .map(usize::from)
            .collect())
    };
    let named = |(index, grid): (usize, &TokenGrid)| match cut(grid) {
        Err(CutError::Uniform) => {
            eprintln!(
                "warning: {}: the patches are all alike, it stays one segment",
                images.name(index)
            );
            Ok(vec![0; grid.count()])
        }
        cut => cut.with_context(|| images.name(index)),
    };
    grids.iter().enumerate().map(named).collect()
}

/// Mean IoU over the images with labels; `None` if there are none.
fn score(
    method: Method,
    grids: &[TokenGrid],
    labels: &[Vec<usize>],
    truths: &[Option<LabelMap>],
) -> Result<Option<Value>> {
    let mut pairs = Vec::new();
    for ((grid, labels), truth) in grids.iter().zip(labels).zip(truths) {
        let Some(truth) = truth else { continue };
        let geometry =
            PatchGeometry::new(truth.width(), truth.height(), grid.rows(), grid.columns())?;
        pairs.push((geometry.enlarge(labels)?, truth.labels()));
    }
    if pairs.is_empty() {
        return Ok(None);
    }
    let images = pairs.len();
    Ok(Some(match method {
        Method::Kmeans => {
            let (predicted, truth): (Vec<&[usize]>, Vec<&[usize]>) = pairs
                .iter()
                .map(|(predicted, truth)| (&predicted[..], *truth))
                .unzip();
            let table = Contingency::new(&predicted.concat(), &truth.concat(), Some(IGNORED))?;
            let matched = table.matched();
            json!({ "images": images, "mean_iou": matched.mean_iou, "accuracy": matched.accuracy, "ious": matched.ious })
        }
        Method::Ncut => {
            let each = pairs.iter().map(|(predicted, truth)| {
                Ok(Contingency::new(predicted, truth, Some(IGNORED))?
                    .matched()
                    .mean_iou)
            });
            let each = each.collect::<Result<Vec<f64>>>()?;
            json!({ "images": images, "mean_iou": each.iter().sum::<f64>() / images as f64, "each": each })
        }
    }))
}
