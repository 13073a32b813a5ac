//! `ibot segment`: photographs divided into classes by a few that somebody has labelled.

mod examples;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use futures_lite::future::block_on;
use ibot_core::annotation::labels::LabelMap;
use ibot_core::eval::in_context::{PatchMemory, Voting, upsample};
use ibot_core::picture::LabelOverlay;
use serde_json::{Map, Value, json};

use self::examples::{Class, LabelledPhotographs};
use super::images::Images;
use super::show::tokens::{ImageEncoder, TokenArgs};
use crate::data::encode_mask;
use crate::files::write_atomically;
use crate::report::png::save_png;

const HELP: &str = "\
Examples:
  ibot segment photos/ --masks labelled/ --model vit_small.safetensors
  ibot segment photos/ --masks labelled/ --model runs/photos --size 448 --out out/cells

Label a few photographs with any paint program: a PNG in gray or with a palette, named as the photograph, whose numbers
are the classes; 0 is the background, 255 says nothing. No training: each patch takes the classes of the labelled patches
that are most like it.
Inputs   --masks: a folder with masks, and the photographs of the same names beside them, in images/ beside masks/, or
         among the photographs to segment. classes.txt may name the numbers 0, 1, and so on, a line each.
Outputs  masks/NAME.png has the number of each pixel, with a palette; overlays/NAME.png shows it over the photograph;
         segment.json has the share of each class in each photograph. A larger --size gives finer borders.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SegmentArgs {
    /// Photographs to segment: files, folders, .tar, lists, or DATA#INDEX
    #[arg(required = true, value_name = "PHOTOS")]
    photographs: Vec<String>,
    /// Folder of the masks
    #[arg(long, value_name = "FOLDER")]
    masks: Option<PathBuf>,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Labelled patches that vote for each patch
    #[arg(long, value_name = "K", default_value_t = Voting::default().neighbours)]
    neighbours: usize,
    /// Most photographs of a dataset, spread evenly over it [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

struct ClassedPhotograph {
    /// The number of each pixel's class.
    numbers: LabelMap,
    /// The share of the pixels of each class, as the classes come.
    shares: Vec<f64>,
}

pub fn run(args: &SegmentArgs) -> Result<()> {
    ensure!(args.neighbours > 0, "--neighbours 0 leaves no vote");
    let Some(masks) = &args.masks else {
        bail!("--masks names no folder; `ibot show segments` divides images without labels");
    };
    let photographs = Images::open(&args.photographs, args.limit.unwrap_or(usize::MAX))?;
    // Before the network: masks are what most often is wrong.
    let examples = LabelledPhotographs::read(masks, &photographs)?;
    let (encoder, output) = args.tokens.open("segment")?;
    let memory = remember(&examples, &encoder)?;
    let (count, kept) = (examples.images.len(), memory.len());
    println!("masks   {}: {count} masks, {kept} patches", masks.display());

    for folder in ["masks", "overlays"] {
        let folder = output.path(folder);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let voting = Voting {
        neighbours: args.neighbours,
        ..Voting::default()
    };
    let mut names = HashSet::new();
    let mut results = Vec::new();
    for index in 0..photographs.len() {
        let name = photographs.name(index);
        let image = match photographs.load(index) {
            Ok(image) => image,
            Err(error) => {
                eprintln!("warning: {error:#} (left out)");
                continue;
            }
        };
        let tokens = encoder.encode(&image)?.patches;
        let votes = memory.votes(tokens.values(), voting, &encoder.device);
        let votes = block_on(votes).context("search on the device")?;
        let map = upsample(&votes, tokens.shape(), (image.width(), image.height()));
        let found = ClassedPhotograph::of(&map, &examples.classes);

        let file = file_name(&photographs, index, &mut names);
        let mask = output.path("masks").join(&file);
        write_atomically(&mask, &encode_mask(&found.numbers)?)?;
        let overlay = LabelOverlay {
            // 0 is the background by convention.
            unpainted: Some(0),
            ..LabelOverlay::default()
        };
        let overlay = overlay.draw(&image, found.numbers.view());
        save_png(&overlay, &output.path("overlays").join(&file))?;

        println!("{name}: {}", found.line(&examples.classes));
        results.push(json!({
            "image": name,
            "mask": format!("masks/{file}"),
            "width": image.width(),
            "height": image.height(),
            "shares": found.numbers_of(&examples.classes),
        }));
    }
    ensure!(!results.is_empty(), "no photograph could be read");

    let classes: Vec<Value> = examples
        .classes
        .iter()
        .map(|class| json!({ "number": class.number, "name": class.name }))
        .collect();
    output.numbers(
        "segment.json",
        json!({ "masks": count, "classes": classes, "images": results }),
    )
}

fn remember(examples: &LabelledPhotographs, encoder: &ImageEncoder) -> Result<PatchMemory> {
    let mut memory = PatchMemory::new(encoder.backbone.dim(), examples.classes.len());
    for example in &examples.images {
        let tokens = encoder.encode(&example.image)?.patches;
        let shares = example.labels.shares(tokens.rows(), tokens.columns());
        let mut labelled = Vec::with_capacity(shares.len());
        for (patch, shares) in shares.iter().enumerate() {
            // A patch whose pixels are all ignored tells nothing.
            if !shares.is_empty() {
                labelled.push(patch);
            }
        }
        memory.keep(tokens.values(), &shares, &labelled);
    }
    ensure!(
        !memory.is_empty(),
        "all pixels of the masks are 255, which says nothing"
    );
    Ok(memory)
}

/// `NAME.png` as the photograph is called, with its number where that is taken.
fn file_name(photographs: &Images, index: usize, taken: &mut HashSet<String>) -> String {
    let own = photographs.own_stem(index);
    let stem = match taken.insert(own.clone()) {
        true => own,
        false => photographs.file_stem(index),
    };
    format!("{stem}.png")
}

impl ClassedPhotograph {
    fn of(map: &LabelMap, classes: &[Class]) -> Self {
        let mut counts = vec![0usize; classes.len()];
        for class in map.cells() {
            counts[*class] += 1;
        }
        let pixels = map.cells().len() as f64;
        let numbers = LabelMap::from_fn(map.rows(), map.columns(), |pixel| {
            classes[map.cells()[pixel]].number
        });
        Self {
            numbers,
            shares: counts.iter().map(|count| *count as f64 / pixels).collect(),
        }
    }

    fn line(&self, classes: &[Class]) -> String {
        let mut parts = Vec::new();
        for (class, share) in classes.iter().zip(&self.shares) {
            if *share > 0.0 {
                parts.push(format!("{} {:.1} %", class.name, 100.0 * share));
            }
        }
        parts.join(", ")
    }

    fn numbers_of(&self, classes: &[Class]) -> Value {
        let mut shares = Map::new();
        for (class, share) in classes.iter().zip(&self.shares) {
            shares.insert(class.name.clone(), json!(share));
        }
        Value::Object(shares)
    }
}
