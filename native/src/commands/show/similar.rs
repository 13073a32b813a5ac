//! `ibot show similar`: which patches are like the one under a point.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use ibot_core::analysis::geometry::PatchGeometry;
use ibot_core::analysis::similarity::{best_patches, cosines};
use ibot_core::picture::PatchGrid;
use serde_json::json;

use super::images::load_one;
use super::tokens::TokenArgs;
use crate::report::figures::{self, Candidate, Query};

const HELP: &str = "\
Examples:
  ibot show similar --image cat.jpg --at 120,80 --model runs/photos
  ibot show similar --image cat.jpg --to dog.jpg --to lion.jpg --at 120,80 --model vit_small.pth

Outputs  similar.png: the cosine similarity of every patch to the one under the point, in the same image and in others,
         with the best matches numbered; similar.json (paper appendix, correspondence between images).";

/// Patches of each other image that get a number.
const MATCHES: usize = 5;
/// Patches between two of them, so that they do not all lie on one spot.
const APART: f64 = 2.0;

/// Options of `ibot show similar`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SimilarArgs {
    /// Image of the patch: a file, or DATA#INDEX
    #[arg(long)]
    image: String,
    /// Another image to search; may be given several times
    #[arg(long)]
    to: Vec<String>,
    /// Point in pixels of the image
    #[arg(long, value_name = "X,Y")]
    at: Point,
    #[command(flatten)]
    tokens: TokenArgs,
}

/// A point of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point(f64, f64);

impl std::str::FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (x, y) = text
            .split_once(',')
            .ok_or("give column and row, such as 120,80")?;
        let number = |text: &str| {
            text.trim()
                .parse::<f64>()
                .map_err(|_| format!("`{text}` is not a number of pixels"))
        };
        Ok(Self(number(x)?, number(y)?))
    }
}

/// Runs `ibot show similar`.
///
/// # Errors
/// If an image or the model cannot be read, the point is outside, or a file cannot be written.
pub fn run(args: &SimilarArgs) -> Result<()> {
    let image = load_one(&args.image)?;
    let others = args
        .to
        .iter()
        .map(|other| load_one(other))
        .collect::<Result<Vec<_>>>()?;
    let (encoder, output) = args.tokens.open("similar")?;
    let own = encoder.encode(&image)?.patches;
    let geometry = PatchGeometry::new(image.width(), image.height(), own.rows(), own.columns())?;
    let patch = geometry
        .patch_at(args.at.0, args.at.1)
        .with_context(|| format!("--at on {}", args.image))?;

    let here = cosines(own.token(patch), &own)?;
    let mut found = Vec::with_capacity(others.len());
    for other in &others {
        let grid = encoder.encode(other)?.patches;
        let similarity = cosines(own.token(patch), &grid)?;
        let best = best_patches(&similarity, grid.columns(), MATCHES, APART);
        let places: Vec<(usize, usize)> =
            best.iter().map(|best| grid.position(best.patch)).collect();
        found.push((grid, similarity, best, places));
    }
    let query = Query {
        image: &image,
        patch: own.position(patch),
        similarity: PatchGrid::new(own.rows(), own.columns(), &here)?,
    };
    let candidates = found.iter().zip(&others).zip(&args.to).map(
        |(((grid, similarity, _, places), image), name)| {
            let similarity = PatchGrid::new(grid.rows(), grid.columns(), similarity)?;
            let file = Path::new(name)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            Ok(Candidate {
                title: file.into_owned(),
                image,
                similarity,
                matches: places,
            })
        },
    );
    let candidates = candidates.collect::<Result<Vec<_>>>()?;
    output.picture("similar.png", &figures::similar(&query, &candidates))?;

    let others = found.iter().zip(&args.to).map(|((grid, similarity, best, _), name)| {
        let best: Vec<_> = best.iter().map(|best| json!({ "patch": best.patch, "cosine": best.similarity })).collect();
        json!({ "image": name, "rows": grid.rows(), "columns": grid.columns(), "cosine": similarity, "best": best })
    });
    output.numbers(
        "similar.json",
        json!({
            "image": args.image,
            "at": [args.at.0, args.at.1],
            "patch": patch,
            "rows": own.rows(),
            "columns": own.columns(),
            "cosine": here,
            "others": others.collect::<Vec<_>>(),
        }),
    )
}
