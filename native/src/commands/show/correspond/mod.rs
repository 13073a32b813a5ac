//! `ibot show correspond`: which patches of two images belong together, and how often that is right.

mod score;
mod truth;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use ibot_core::analysis::correspondence::{MATCHES, attended_matches, mutual_matches};
use ibot_core::analysis::nearest::nearest;
use ibot_core::features::encode::ImageTokens;
use ibot_core::grid::PatchGeometry;
use ibot_core::image::RgbImage;
use serde_json::{Value, json};

use self::score::{Scores, point};
use self::truth::{read_disparity, read_homography};
use super::tokens::TokenArgs;
use crate::commands::images::load_one;
use crate::report::figures::{self, PairColor, PointPair};

const HELP: &str = "\
Examples:
  ibot show correspond cat1.jpg cat2.jpg --model runs/photos
  ibot show correspond graf1.png graf3.png --homography H1to3p.xml --model vit_small.pth
  ibot show correspond left.png right.png --disparity left.pfm --model vit_small.pth

Inputs   two images, and ground truth where you have it: a homography from the first to the second (nine numbers, or
         OpenCV's XML), or the disparity of the first, in pixels (.pfm, or a 2-d .npy; right x = left x - disparity).
Outputs  correspond.png shows pairs of patches that are each other's nearest neighbour by cosine, beginning with those
         that CLS attends to most (paper appendix, correspondence). correspond.json has the numbers.
         With ground truth there are also pck.png and a table: the share of patches whose nearest neighbour lies within
         alpha of the true place (PCK), the same for the patch at the same place of the second image (no network),
         chance, and the best that patches of this size can reach.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct CorrespondArgs {
    /// First image: a file, or DATA#INDEX
    first: String,
    /// Second image
    second: String,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Number of pairs to draw
    #[arg(long, default_value_t = MATCHES)]
    top: usize,
    /// Take the most attended patches, mutual or not, as the official script does
    #[arg(long)]
    official: bool,
    /// Homography from the first image to the second
    #[arg(long, value_name = "FILE", conflicts_with = "disparity")]
    homography: Option<PathBuf>,
    /// Disparity of the first image of a rectified pair
    #[arg(long, value_name = "FILE")]
    disparity: Option<PathBuf>,
}

pub fn run(args: &CorrespondArgs) -> Result<()> {
    // Before the network: images and truths may be missing.
    let first = load_one(&args.first)?;
    let second = load_one(&args.second)?;
    let truth = match (&args.homography, &args.disparity) {
        (Some(file), _) => Some(read_homography(file)?),
        (None, Some(file)) => Some(read_disparity(file)?),
        (None, None) => None,
    };

    let (encoder, output) = args.tokens.open("correspond")?;
    let a = encoder.encode(&first)?;
    let b = encoder.encode(&second)?;
    let nearest = nearest(&a.patches, &b.patches)?;
    let attention = (a.salience(), b.salience());
    let matches = if args.official {
        ensure!(
            a.attention.is_some(),
            "--official ranks patches by the attention of CLS, and this backbone has none"
        );
        attended_matches(&nearest, &attention.0, args.top)?
    } else {
        mutual_matches(&nearest, (&attention.0, &attention.1), args.top)?
    };

    let places = (geometry(&first, &a)?, geometry(&second, &b)?);
    let mut pairs = Vec::with_capacity(matches.len());
    let mut listed: Vec<Value> = Vec::with_capacity(matches.len());
    for found in &matches {
        let pair = PointPair {
            from: point(places.0.center(found.from)),
            to: point(places.1.center(found.to)),
            right: None,
        };
        listed.push(json!({
            "from": pair.from,
            "to": pair.to,
            "cosine": found.similarity,
            "score": found.score,
        }));
        pairs.push(pair);
    }
    let picture = figures::correspond(&first, &second, &pairs, PairColor::Position);
    output.picture("correspond.png", &picture)?;

    let mut numbers = json!({ "first": args.first, "second": args.second, "matches": listed });
    if let Some(truth) = truth {
        let mut matched = Vec::with_capacity(nearest.forward.len());
        for neighbour in &nearest.forward {
            matched.push(neighbour.map(|neighbour| neighbour.patch));
        }
        let scores = Scores::new(&truth, (&places.0, &places.1), &matched)?;
        scores.print();
        let pairs = scores.pairs((&places.0, &places.1));
        let picture = figures::correspond(&first, &second, &pairs, PairColor::Correctness);
        output.picture("pck.png", &picture)?;
        scores.add_to(&mut numbers);
    }
    output.numbers("correspond.json", numbers)
}

fn geometry(image: &RgbImage, tokens: &ImageTokens) -> Result<PatchGeometry> {
    let (rows, columns) = (tokens.patches.rows(), tokens.patches.columns());
    let geometry = PatchGeometry::new(image.width(), image.height(), rows, columns);
    Ok(geometry?)
}
