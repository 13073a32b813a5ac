//! `ibot show correspond`: which patches of two images belong together, and how often that is right.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use ibot_core::analysis::correspondence::{MATCHES, Match, attended_matches, mutual_matches};
use ibot_core::analysis::geometry::PatchGeometry;
use ibot_core::analysis::nearest::nearest;
use ibot_core::analysis::similarity::Neighbour;
use ibot_core::annotation::ground_truth::{DisparityMap, GroundTruth};
use ibot_core::annotation::homography::parse_homography;
use ibot_core::annotation::pfm::parse_pfm;
use ibot_core::metrics::pck::{Pck, pck};
use serde_json::{Value, json};

use super::images::load_one;
use super::tokens::TokenArgs;
use crate::npy;
use crate::report::figures;
use crate::report::figures::{PairColor, PointPair};

const HELP: &str = "\
Examples:
  ibot show correspond cat1.jpg cat2.jpg --model runs/photos
  ibot show correspond graf1.png graf3.png --homography H1to3p.xml --model vit_small.pth
  ibot show correspond left.png right.png --disparity left.pfm --model vit_small.pth

Inputs   two images; ground truth, if there is any: a homography from the first to the second (nine numbers, or
         OpenCV's XML), or the disparity of the first, in pixels (.pfm, or a 2-d .npy; right x = left x - disparity).
Outputs  correspond.png: pairs of patches that are each other's nearest neighbour by cosine, those that CLS attends
         to first (paper appendix, correspondence); correspond.json. With ground truth also pck.png and the share of
         all patches whose nearest neighbour lies within alpha of the true place (PCK), beside what the same place in the
         second image gives, which needs no network, chance, and the best that patches of this size allow.";

/// Tolerances, as shares of the longer side of the second image.
const ALPHAS: [f64; 3] = [0.01, 0.05, 0.1];
/// Most pairs in the picture of right and wrong ones.
const DRAWN: usize = 150;

/// Options of `ibot show correspond`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CorrespondArgs {
    /// First image: a file, or DATA#INDEX
    first: String,
    /// Second image
    second: String,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Pairs to draw
    #[arg(long, default_value_t = MATCHES)]
    top: usize,
    /// As the official script: the most attended patches, mutual or not
    #[arg(long)]
    official: bool,
    /// Homography from the first image to the second
    #[arg(long, value_name = "FILE", conflicts_with = "disparity")]
    homography: Option<PathBuf>,
    /// Disparity of the first image of a rectified pair
    #[arg(long, value_name = "FILE")]
    disparity: Option<PathBuf>,
}

/// Runs `ibot show correspond`.
///
/// # Errors
/// If an image, the model or the ground truth cannot be read or does not fit, or a file cannot be
/// written.
pub fn run(args: &CorrespondArgs) -> Result<()> {
    let (first, second) = (load_one(&args.first)?, load_one(&args.second)?);
    let truth = ground_truth(args)?;
    let (encoder, output) = args.tokens.open("correspond")?;
    let (a, b) = (encoder.encode(&first)?, encoder.encode(&second)?);
    let nearest = nearest(&a.patches, &b.patches)?;
    let matches = if args.official {
        attended_matches(&nearest, &a.attention.mean(), args.top)?
    } else {
        mutual_matches(
            &nearest,
            (&a.attention.mean(), &b.attention.mean()),
            args.top,
        )?
    };
    let places = (
        PatchGeometry::new(
            first.width(),
            first.height(),
            a.patches.rows(),
            a.patches.columns(),
        )?,
        PatchGeometry::new(
            second.width(),
            second.height(),
            b.patches.rows(),
            b.patches.columns(),
        )?,
    );
    let pairs: Vec<PointPair> = matches.iter().map(|found| pair(found, &places)).collect();
    output.picture(
        "correspond.png",
        &figures::correspond(&first, &second, &pairs, PairColor::Position),
    )?;
    let mut numbers = json!({
        "first": args.first,
        "second": args.second,
        "matches": matches.iter().zip(&pairs).map(|(found, pair)| json!({
            "from": pair.from, "to": pair.to, "cosine": found.similarity, "score": found.score,
        })).collect::<Vec<_>>(),
    });
    if let Some(truth) = truth {
        let scored = pck(&truth, (&places.0, &places.1), &nearest.forward, &ALPHAS)?;
        let unmoved = pck(
            &truth,
            (&places.0, &places.1),
            &same_place(&places),
            &ALPHAS,
        )?;
        print_pck(&scored, &unmoved);
        let pairs = judged(&scored, &places);
        output.picture(
            "pck.png",
            &figures::correspond(&first, &second, &pairs, PairColor::Correctness),
        )?;
        numbers["pck"] = pck_numbers(&scored);
        numbers["same_place"] = pck_numbers(&unmoved);
    }
    output.numbers("correspond.json", numbers)
}

fn ground_truth(args: &CorrespondArgs) -> Result<Option<GroundTruth>> {
    if let Some(file) = &args.homography {
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read the homography {}", file.display()))?;
        let matrix =
            parse_homography(&text).with_context(|| format!("homography {}", file.display()))?;
        return Ok(Some(GroundTruth::Homography(matrix)));
    }
    let Some(file) = &args.disparity else {
        return Ok(None);
    };
    let map = disparity(file).with_context(|| format!("disparity {}", file.display()))?;
    Ok(Some(GroundTruth::Disparity(map)))
}

fn disparity(file: &Path) -> Result<DisparityMap> {
    let bytes = fs::read(file)?;
    if npy::is_npy(&bytes) {
        let (shape, values) = npy::read(&bytes)?;
        let [height, width] = shape[..] else {
            bail!("a disparity map has two dimensions, this has {shape:?}")
        };
        return Ok(DisparityMap::new(width, height, values)?);
    }
    let map = parse_pfm(&bytes)?;
    Ok(DisparityMap::new(map.width, map.height, map.values)?)
}

fn pair(found: &Match, (first, second): &(PatchGeometry, PatchGeometry)) -> PointPair {
    PointPair {
        from: point(first.center(found.from)),
        to: point(second.center(found.to)),
        right: None,
    }
}

fn point((x, y): (f64, f64)) -> (f32, f32) {
    (x as f32, y as f32)
}

/// Some of the nearest neighbours, spread evenly, right if within the middle tolerance.
fn judged(scored: &Pck, (first, second): &(PatchGeometry, PatchGeometry)) -> Vec<PointPair> {
    let tolerance = scored
        .accuracies
        .get(1)
        .map_or(0.0, |accuracy| accuracy.pixels);
    let step = scored.points.len().div_ceil(DRAWN).max(1);
    let pairs = scored.points.iter().step_by(step).filter_map(|found| {
        let to = second.center(found.matched?);
        let right = Some(found.error <= tolerance);
        Some(PointPair {
            from: point(first.center(found.patch)),
            to: point(to),
            right,
        })
    });
    pairs.collect()
}

/// What needs no network: the patch at the same place of the second image.
fn same_place((first, second): &(PatchGeometry, PatchGeometry)) -> Vec<Option<Neighbour>> {
    let scale = (
        second.width() as f64 / first.width() as f64,
        second.height() as f64 / first.height() as f64,
    );
    let neighbour = |patch: usize| {
        let (x, y) = first.center(patch);
        let place = second
            .patch_at((x + 0.5) * scale.0 - 0.5, (y + 0.5) * scale.1 - 0.5)
            .ok()?;
        Some(Neighbour {
            patch: place,
            similarity: 1.0,
        })
    };
    (0..first.count()).map(neighbour).collect()
}

fn print_pck(scored: &Pck, unmoved: &Pck) {
    println!(
        "\n  alpha   pixels      PCK   same place   chance   ceiling   ({} patches)",
        scored.points.len()
    );
    for (at, unmoved) in scored.accuracies.iter().zip(&unmoved.accuracies) {
        let [pck, same, chance, ceiling] =
            [at.pck, unmoved.pck, at.chance, at.ceiling].map(|share| 100.0 * share);
        println!(
            "  {:5.2}   {:6.1}  {pck:5.1} %      {same:5.1} %  {chance:5.1} %   {ceiling:5.1} %",
            at.alpha, at.pixels
        );
    }
    println!(
        "  median error {:.1} pixels, {:.1} at the same place\n",
        scored.median_error, unmoved.median_error
    );
}

fn pck_numbers(scored: &Pck) -> Value {
    let accuracies = scored.accuracies.iter().map(|at| {
        json!({ "alpha": at.alpha, "pixels": at.pixels, "pck": at.pck, "chance": at.chance, "ceiling": at.ceiling })
    });
    json!({
        "patches": scored.points.len(),
        "median_error": scored.median_error,
        "accuracies": accuracies.collect::<Vec<_>>(),
    })
}
