//! `ibot search`: the images that are most like given ones.

mod gallery;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::eval::retrieval::{RankedImage, best, compare, normalize};
use ibot_core::image::Planes;
use serde_json::{Value, json};

use self::gallery::Gallery;
use super::eval_subject::{EvalSubject, HeadNeeds, MODEL};
use super::images::Images;
use super::show::output::Output;
use crate::data::Dataset;
use crate::features::{
    FeatureArgs, FeatureRows, FeatureStore, Pooling, Readout, SavedFeatures, picture_rows,
};
use crate::model::ModelArgs;
use crate::report::figures::{GalleryImage, gallery};

const HELP: &str = "\
Examples:
  ibot search beach.jpg --data photos/ --model vit_small.pth
  ibot search queries/ --data photos.parquet --images photos/ --model vit_small.pth --top 20
  ibot search builtin:val#7 --data builtin --model runs/builtin

Inputs   queries: image files, folders, .tar, lists, or DATA#INDEX for one image of a dataset. --data has the images to
         search, or is a file of `ibot embed` (.npy or .safetensors with its list, .parquet), so that these need no
         network again; --images then says where the images are. Its features have to be of the same model, with the
         same --cls-blocks, --patch-mean and --size.
Outputs  search.png shows each query with the images that are most like it, and their cosines; search.json has the
         numbers. A query that is among the images finds itself first.";

/// Queries that the picture shows.
const ROWS: usize = 20;
const COLUMNS: usize = 10;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SearchArgs {
    /// Images to search for
    #[arg(required = true, value_name = "QUERY")]
    queries: Vec<String>,
    /// Images to search: what `pretrain --data` takes, or a file of `ibot embed`
    #[arg(long)]
    data: String,
    /// Where the images of a file of features are [default: near the file, or the working folder]
    #[arg(long, value_name = "DATA")]
    images: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Images to find for each query
    #[arg(long, value_name = "K", default_value_t = 10)]
    top: usize,
    /// Number of last blocks whose CLS tokens are joined; 0 leaves CLS out
    #[arg(long, default_value_t = 1)]
    cls_blocks: usize,
    /// Also take the mean of the patch tokens of the last block
    #[arg(long)]
    patch_mean: bool,
    /// Side of the central crop in pixels [default: that of the model]
    #[arg(long)]
    size: Option<usize>,
    /// Most images to search, spread evenly over the data [default: all]
    #[arg(long)]
    limit: Option<usize>,
    /// Folder for the picture and the numbers
    #[arg(long, value_name = "FOLDER", default_value = "out/search")]
    out: PathBuf,
    #[command(flatten)]
    features: FeatureArgs,
}

pub fn run(args: &SearchArgs) -> Result<()> {
    ensure!(args.top > 0, "--top 0 finds no image");
    ensure!(
        args.cls_blocks > 0 || args.patch_mean,
        "--cls-blocks 0 without --patch-mean leaves no feature"
    );
    let readout = Readout::Pooled(Pooling {
        cls_blocks: args.cls_blocks,
        patch_mean: args.patch_mean.into(),
    });

    let queries = Images::open(&args.queries, usize::MAX)?;
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

    // Queries first: an error in these few shall not come after the pass over all images.
    let asked = encode(&queries, readout, &features)?;
    let gallery = open(args, readout, &features)?;
    ensure!(
        asked.width == gallery.width,
        "the features of {} have {} numbers, those of the queries {}: give the model, --cls-blocks and --patch-mean that they were written with",
        args.data,
        gallery.width,
        asked.width
    );
    println!("data    {}: {} images", args.data, gallery.names.len());

    let mut found = Vec::new();
    let comparison = compare(
        &gallery.values,
        &asked.values,
        asked.width,
        features.device(),
        |_, cosines| found.push(best(cosines, args.top)),
    );
    block_on(comparison).context("search on the device")?;

    let mut names = Vec::new();
    for index in &asked.indices {
        names.push(queries.name(*index));
    }
    for (name, matches) in names.iter().zip(&found) {
        println!("\n{name}");
        for found in matches {
            println!("  {:6.3}  {}", found.cosine, gallery.names[found.index]);
        }
    }
    println!();

    // Only now: what was found is printed even if no picture can be drawn.
    let output = Output::create(args.out.clone(), &args.model.path().display().to_string())?;
    output.picture(
        "search.png",
        &draw(&queries, &asked.indices, &gallery, &found),
    )?;
    let queries = numbers(&names, &gallery, &found);
    output.numbers(
        "search.json",
        json!({ "data": args.data, "queries": queries }),
    )
}

fn open(args: &SearchArgs, readout: Readout, features: &FeatureStore) -> Result<Gallery> {
    if SavedFeatures::is_one(&args.data) {
        return Gallery::saved(Path::new(&args.data), args.images.as_deref());
    }
    ensure!(
        args.images.is_none(),
        "--images goes with a file of features; {} are images themselves",
        args.data
    );
    let data = Dataset::open(&args.data)?;
    Gallery::of(data, args.limit.unwrap_or(usize::MAX), readout, features)
}

fn encode(images: &Images, readout: Readout, features: &FeatureStore) -> Result<FeatureRows> {
    let view = features.view();
    let load = |index: usize| Ok(vec![Planes::of(&view.cut(&images.load(index)?))]);
    let mut rows = picture_rows(features, &[readout], images.len(), load).context("queries")?;
    normalize(&mut rows.values, rows.width);
    Ok(rows)
}

fn draw(
    queries: &Images,
    indices: &[usize],
    images: &Gallery,
    found: &[Vec<RankedImage>],
) -> ibot_core::image::RgbImage {
    let mut rows = Vec::new();
    for (index, matches) in indices.iter().zip(found).take(ROWS) {
        let mut row = vec![GalleryImage {
            image: queries.load(*index).ok(),
            title: "query".to_owned(),
            caption: file_name(&queries.name(*index)),
        }];
        for found in matches.iter().take(COLUMNS) {
            row.push(GalleryImage {
                image: images.picture(found.index),
                title: format!("{:.3}", found.cosine),
                caption: file_name(&images.names[found.index]),
            });
        }
        rows.push(row);
    }

    let mut note = "Numbers are cosines of features.".to_owned();
    if found.len() > ROWS {
        note += &format!(" The first {ROWS} of {} queries.", found.len());
    }
    gallery("Most similar images", &note, rows)
}

fn numbers(names: &[String], images: &Gallery, found: &[Vec<RankedImage>]) -> Vec<Value> {
    let mut numbers = Vec::new();
    for (name, matches) in names.iter().zip(found) {
        let mut results = Vec::new();
        for found in matches {
            results.push(json!({
                "file": images.names[found.index],
                "cosine": found.cosine,
            }));
        }
        numbers.push(json!({ "query": name, "results": results }));
    }
    numbers
}

/// The last part of a path.
pub fn file_name(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}
