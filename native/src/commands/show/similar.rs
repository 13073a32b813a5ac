//! `ibot show similar`: which patches are like the one under a point.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use ibot_core::analysis::similarity::{Neighbour, best_patches, cosines};
use ibot_core::features::TokenGrid;
use ibot_core::grid::GridRef;
use ibot_core::grid::PatchGeometry;
use ibot_core::image::RgbImage;
use serde_json::{Value, json};

use super::tokens::TokenArgs;
use crate::commands::images::load_one;
use crate::report::figures::{self, Candidate, Query};

const HELP: &str = "\
Examples:
  ibot show similar --image cat.jpg --at 120,80 --model runs/photos
  ibot show similar --image cat.jpg --to dog.jpg --to lion.jpg --at 120,80 --model vit_small.pth

Outputs  similar.png shows the cosine similarity of every patch to the patch under the point, in the same image and in
         the others, with the best matches numbered (paper appendix, correspondence between images). similar.json has
         the numbers.";

/// Patches of each other image that get a number.
const MATCHES: usize = 5;
// Patches between two of them, so that they do not all lie on one spot.
const APART: f64 = 2.0;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SimilarArgs {
    /// Image with the patch: a file, or DATA#INDEX
    #[arg(long)]
    image: String,
    /// Another image to search; may be given several times
    #[arg(long)]
    to: Vec<String>,
    /// Point on the patch, in pixels of the image
    #[arg(long, value_name = "X,Y")]
    at: PixelPosition,
    #[command(flatten)]
    tokens: TokenArgs,
}

/// A point of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PixelPosition(f64, f64);

impl std::str::FromStr for PixelPosition {
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

/// The image with the patch in question.
pub struct QueryImage<'a> {
    pub image: &'a RgbImage,
    pub patches: &'a TokenGrid,
    /// Index of the patch.
    pub patch: usize,
}

/// What was found in another image.
pub struct SimilarPatches {
    patches: TokenGrid,
    /// Cosine of each patch with the one in question.
    similarity: Vec<f32>,
    best: Vec<Neighbour>,
    /// Rows and columns of the best patches.
    positions: Vec<(usize, usize)>,
}

pub fn run(args: &SimilarArgs) -> Result<()> {
    // Before the network: a name may be wrong.
    let image = load_one(&args.image)?;
    let mut others = Vec::with_capacity(args.to.len());
    for other in &args.to {
        others.push(load_one(other)?);
    }

    let (encoder, output) = args.tokens.open("similar")?;
    let own = encoder.encode(&image)?.patches;
    let geometry = PatchGeometry::new(image.width(), image.height(), own.rows(), own.columns())?;
    let patch = geometry
        .patch_at(args.at.0, args.at.1)
        .with_context(|| format!("--at on {}", args.image))?;
    let mut found = Vec::with_capacity(others.len());
    for other in &others {
        found.push(find(own.token(patch), encoder.encode(other)?.patches)?);
    }

    let query = QueryImage {
        image: &image,
        patches: &own,
        patch,
    };
    output.picture("similar.png", &draw(&query, &args.to, &others, &found)?)?;
    output.numbers(
        "similar.json",
        json!({
            "image": args.image,
            "at": [args.at.0, args.at.1],
            "patch": patch,
            "rows": own.rows(),
            "columns": own.columns(),
            "cosine": cosines(own.token(patch), &own)?,
            "others": numbers(&args.to, &found),
        }),
    )
}

/// The patches of an image that are most like `token`.
///
/// # Errors
/// If the tokens have another width.
pub fn find(token: &[f32], patches: TokenGrid) -> Result<SimilarPatches> {
    let similarity = cosines(token, &patches)?;
    let best = best_patches(&similarity, patches.columns(), MATCHES, APART);
    let positions = best.iter().map(|b| patches.position(b.patch)).collect();
    Ok(SimilarPatches {
        patches,
        similarity,
        best,
        positions,
    })
}

pub fn draw(
    query: &QueryImage,
    names: &[String],
    others: &[RgbImage],
    found: &[SimilarPatches],
) -> Result<RgbImage> {
    let own = query.patches;
    let here = cosines(own.token(query.patch), own)?;
    let marked = Query {
        image: query.image,
        patch: own.position(query.patch),
        similarity: GridRef::new(own.rows(), own.columns(), &here)?,
    };
    Ok(figures::similar(
        &marked,
        &candidates(names, others, found)?,
    ))
}

fn candidates<'a>(
    names: &[String],
    images: &'a [RgbImage],
    found: &'a [SimilarPatches],
) -> Result<Vec<Candidate<'a>>> {
    let mut candidates = Vec::with_capacity(found.len());
    for (index, found) in found.iter().enumerate() {
        let file = Path::new(&names[index]).file_name().unwrap_or_default();
        let (rows, columns) = (found.patches.rows(), found.patches.columns());
        candidates.push(Candidate {
            title: file.to_string_lossy().into_owned(),
            image: &images[index],
            similarity: GridRef::new(rows, columns, &found.similarity)?,
            matches: &found.positions,
        });
    }
    Ok(candidates)
}

fn numbers(names: &[String], found: &[SimilarPatches]) -> Vec<Value> {
    let mut numbers = Vec::with_capacity(found.len());
    for (name, found) in names.iter().zip(found) {
        let mut best = Vec::with_capacity(found.best.len());
        for neighbour in &found.best {
            best.push(json!({ "patch": neighbour.patch, "cosine": neighbour.similarity }));
        }
        numbers.push(json!({
            "image": name,
            "rows": found.patches.rows(),
            "columns": found.patches.columns(),
            "cosine": found.similarity,
            "best": best,
        }));
    }
    numbers
}
