//! `ibot duplicates`: images that are nearly the same.

mod threshold;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::eval::copies::{AlikePair, groups};
use ibot_core::eval::retrieval::{compare, normalize};
use ibot_core::image::RgbImage;
use serde_json::{Value, json};

use self::threshold::measure;
use super::eval_subject::{EvalSubject, HeadNeeds, MODEL};
use super::search::file_name;
use super::show::output::Output;
use crate::data::Dataset;
use crate::eval::copy_features;
use crate::features::{FeatureArgs, FeatureRows, FeatureStore};
use crate::model::ModelArgs;
use crate::report::figures::{GalleryImage, gallery};

const HELP: &str = "\
Examples:
  ibot duplicates photos/ --model vit_small.pth
  ibot duplicates photos/ --model vit_small.pth --threshold 0.98 --out photos-twice

Two images are near duplicates if the cosine of their features is at least the threshold. A feature is CLS with the
generalised mean of the patches (power 4) of the whole image as a square. Cosines depend on the model and the images, so
the usual threshold is measured: copies of 64 of the images are made (JPEG of quality 20, half size, 10 % of the area
cut away, slight blur), and 95 % of them reach it. Images that chains of such pairs lead between are a group.
Outputs  duplicates.png shows the groups; duplicates.json has all pairs with their cosines, and how the threshold was
         measured. Nothing is deleted.";

/// Groups that the picture shows.
const ROWS: usize = 25;
const COLUMNS: usize = 8;
/// Most pairs; more are no near duplicates but a threshold that is too low.
const MOST_PAIRS: usize = 1_000_000;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DuplicatesArgs {
    /// Images: what `pretrain --data` takes
    #[arg(value_name = "DATA")]
    data: String,
    #[command(flatten)]
    model: ModelArgs,
    /// Least cosine of near duplicates [default: measured on copies of the images]
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Side of the square in pixels [default: that of the model]
    #[arg(long)]
    size: Option<usize>,
    /// Most images, spread evenly over the data [default: all]
    #[arg(long)]
    limit: Option<usize>,
    /// Folder for the picture and the numbers
    #[arg(long, value_name = "FOLDER", default_value = "out/duplicates")]
    out: PathBuf,
    #[command(flatten)]
    features: FeatureArgs,
}

/// Runs `ibot duplicates`. Images that cannot be read are named and left out.
pub fn run(args: &DuplicatesArgs) -> Result<()> {
    if let Some(threshold) = args.threshold {
        ensure!(
            (-1.0..=1.0).contains(&threshold),
            "--threshold {threshold}: a cosine lies between -1 and 1"
        );
    }
    let data = Dataset::open(&args.data)?;
    println!("data    {}", data.description());
    let chosen = data.subset(args.limit.unwrap_or(usize::MAX), 0);
    ensure!(chosen.len() > 1, "near duplicates need two images or more");
    let extraction = args.features.open(true)?;
    let subject = EvalSubject::open(
        MODEL,
        &args.model,
        args.size,
        HeadNeeds::default(),
        &extraction,
    )?;
    println!("{}", subject.lines);
    let features = extraction.store(subject.model.as_ref(), subject.view)?;

    // By places: `copy_features` counts from 0.
    let load = |place: usize| Ok(data.load(chosen[place])?);
    let mut rows = copy_features(&features, chosen.len(), load)?;
    normalize(&mut rows.values, rows.width);
    // From here on by the indices of the data.
    rows.indices
        .iter_mut()
        .for_each(|place| *place = chosen[*place]);

    let mut numbers = json!({ "data": args.data, "images": rows.indices.len() });
    let threshold = match args.threshold {
        Some(threshold) => threshold,
        None => {
            let measured = measure(&data, &rows, &features)?;
            println!(
                "least   {:.4} is reached by {:.0} % of {} copies that were made, and by {:.2} % of the pairs of different images",
                measured.threshold,
                100.0 * measured.found,
                measured.copies,
                100.0 * measured.different
            );
            numbers["measured"] = serde_json::to_value(&measured)?;
            measured.threshold
        }
    };
    numbers["threshold"] = json!(threshold);

    let pairs = pairs(&rows, threshold, &features)?;
    let groups = groups(rows.indices.len(), &pairs);
    let name = |row: usize| data.name(rows.indices[row]).into_owned();
    let mut listed: Vec<Value> = Vec::new();
    for (images, pairs) in &groups {
        let names: Vec<String> = images.iter().map(|row| name(*row)).collect();
        println!("\n{:.4}  {}", pairs[0].cosine, names.join("  "));
        let mut all = Vec::new();
        for AlikePair {
            first,
            second,
            cosine,
        } in pairs
        {
            all.push(json!({ "files": [name(*first), name(*second)], "cosine": cosine }));
        }
        listed.push(json!({ "files": names, "pairs": all }));
    }
    numbers["groups"] = Value::Array(listed);
    println!(
        "\n{} groups with {} pairs from a cosine of {threshold:.4} on",
        groups.len(),
        pairs.len()
    );

    let output = Output::create(args.out.clone(), &args.model.path().display().to_string())?;
    output.picture("duplicates.png", &draw(&data, &rows, &groups, threshold))?;
    output.numbers("duplicates.json", numbers)
}

fn pairs(rows: &FeatureRows, threshold: f32, features: &FeatureStore) -> Result<Vec<AlikePair>> {
    let (values, width) = (&rows.values, rows.width);
    let mut pairs = Vec::new();
    let comparison = compare(
        values,
        values,
        width,
        features.device(),
        |first, cosines| {
            // Each pair once.
            for (second, cosine) in cosines.iter().enumerate().skip(first + 1) {
                // One pair beyond the limit is enough to know that there are too many.
                if *cosine >= threshold && pairs.len() <= MOST_PAIRS {
                    pairs.push(AlikePair {
                        first,
                        second,
                        // Rounding may carry a cosine beyond its bound.
                        cosine: cosine.min(1.0),
                    });
                }
            }
        },
    );
    block_on(comparison).context("comparison on the device")?;
    ensure!(
        pairs.len() <= MOST_PAIRS,
        "more than {MOST_PAIRS} pairs have a cosine of {threshold} or more; give a higher --threshold"
    );
    Ok(pairs)
}

fn draw(
    data: &Dataset,
    rows: &FeatureRows,
    groups: &[(Vec<usize>, Vec<AlikePair>)],
    threshold: f32,
) -> RgbImage {
    let mut shown = Vec::new();
    for (images, pairs) in groups.iter().take(ROWS) {
        let mut row = Vec::new();
        for image in images.iter().take(COLUMNS) {
            let index = rows.indices[*image];
            row.push(GalleryImage {
                image: data.load(index).ok(),
                title: best_cosine(*image, pairs),
                caption: file_name(&data.name(index)),
            });
        }
        shown.push(row);
    }

    let mut note = format!(
        "Groups of images with cosines from {threshold:.3} on; the number is that of the nearest."
    );
    if groups.len() > ROWS {
        note += &format!(" The first {ROWS} of {} groups.", groups.len());
    }
    gallery("Near duplicates", &note, shown)
}

/// The highest cosine of an image with another one of its group.
fn best_cosine(image: usize, pairs: &[AlikePair]) -> String {
    // Pairs come with the most similar first.
    let own = |pair: &&AlikePair| pair.first == image || pair.second == image;
    let best = pairs.iter().find(own);
    best.map_or(String::new(), |pair| format!("{:.3}", pair.cosine))
}
