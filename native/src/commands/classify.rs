//! `ibot classify`: the classes of images, by a backbone and a linear head in one file.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use burn::tensor::Device;
use clap::Args;
use ibot_core::features::Readout;
use ibot_core::image::RgbImage;
use ibot_core::image::normalize::normalize_into;
use ibot_core::learn::Classifier;
use ibot_core::weights::{HeadError, HeadTensors};
use rayon::prelude::*;
use serde::Serialize;

use super::images::Images;
use crate::device::{self, DeviceChoice};
use crate::features::{Encoder, EvalView, FeatureStore};
use crate::linear_head::StoredHead;
use crate::model::{WeightArgs, WeightFile, with_remedy};

const HELP: &str = "\
Examples:
  ibot classify photo.jpg holiday/ --model classifier.safetensors
  ibot classify photos/ --model classifier.safetensors --top 1 --json > classes.jsonl

Inputs   images: files, folders, .tar, lists, or DATA#INDEX for one image of a dataset. The classifier is a file of
         `ibot export --head HEAD`, or timm's ViT with its head; without names, classes are numbers from 0.
Outputs  the most likely classes of each image with their probabilities. With --json one line an image:
         {\"image\": NAME, \"classes\": [{\"index\": 3, \"class\": NAME, \"probability\": 0.93}, ...]}.
         Images are normalised with ImageNet's mean and deviation. timm's networks that were trained with others (0.5 in
         its augreg models) get wrong probabilities.";

/// Images that are in memory at a time.
const CHUNK: usize = 64;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ClassifyArgs {
    /// Images to classify
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<String>,
    #[command(flatten)]
    weights: WeightArgs,
    /// How many of the most likely classes to name
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    /// Most images of a dataset, spread evenly over it [default: all]
    #[arg(long)]
    limit: Option<usize>,
    /// Print JSON, one line an image
    #[arg(long)]
    json: bool,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

struct ImageClassifier {
    features: FeatureStore,
    readout: Readout,
    classifier: Classifier,
    /// Empty if classes have only numbers.
    names: Vec<String>,
}

#[derive(Serialize)]
struct Classified {
    image: String,
    classes: Vec<Likely>,
}

#[derive(Serialize)]
struct Likely {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    probability: f32,
}

/// Runs `ibot classify`. Images that cannot be read are named and left out.
pub fn run(args: &ClassifyArgs) -> Result<()> {
    ensure!(args.top > 0, "--top 0 names no class");
    // Before the device, which takes seconds to start.
    let images = Images::open(&args.images, args.limit.unwrap_or(usize::MAX))?;
    let device = device::select(args.device)?.device;
    let (classifier, lines) = ImageClassifier::open(&args.weights, device)?;
    if !args.json {
        println!("{lines}\n");
    }

    let all: Vec<usize> = (0..images.len()).collect();
    let names = all.iter().map(|index| images.name(*index));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let mut read = 0;
    // In chunks, so that lines appear while later images are read.
    for chunk in all.chunks(CHUNK) {
        for classified in classifier.classify(&images, chunk, args.top)? {
            read += 1;
            if args.json {
                println!("{}", serde_json::to_string(&classified)?);
            } else {
                println!("{}", table(&classified, width));
            }
        }
    }
    ensure!(
        read > 0,
        "none of the {} images could be read",
        images.len()
    );
    Ok(())
}

impl ImageClassifier {
    fn open(weights: &WeightArgs, device: Device) -> Result<(Self, String)> {
        let WeightFile {
            file,
            checkpoint,
            config,
        } = weights.read(false)?;
        let place = || format!("model {}", file.display());
        let network = checkpoint.header_for(config.clone());
        let head = StoredHead::of(&checkpoint, &network).map_err(with_export);
        let Some(head) = head.with_context(place)? else {
            bail!(
                "{} has no linear head: `ibot export --head HEAD` makes a classifier of it and a head, and `ibot eval linear --save-head HEAD` trains one",
                file.display()
            );
        };
        // A classifier sees whole images only.
        let config = config.with_mask_token(false);
        let (backbone, mut report) = checkpoint
            .backbone(&config, weights.allow_partial, &device)
            .map_err(with_remedy)
            .with_context(place)?;
        // The tensors of the head are read beside the backbone, so they are not unused.
        report.unused.retain(|name| !HeadTensors::owns(name));

        let view = EvalView {
            size: head.header.size,
            resize_ratio: head.header.resize,
        };
        let features = FeatureStore::new(Encoder::Network(&backbone), view, &[device])?;
        let (classes, size) = (head.tensors.classes(), head.header.size);
        let mut lines = format!(
            "model   {}: {report}\nhead    {classes} classes, at {size} x {size}",
            file.display()
        );
        if !head.is_described {
            lines += "; the file does not say how it sees images, so they are cropped as for an evaluation";
        }
        let classifier = Self {
            features,
            readout: head.readout(),
            classifier: head.classifier()?,
            names: head.header.classes,
        };
        Ok((classifier, lines))
    }

    /// The `top` classes of those of the images `indices` that can be read, in order.
    fn classify(&self, images: &Images, indices: &[usize], top: usize) -> Result<Vec<Classified>> {
        let view = self.features.view();
        let loaded: Vec<Result<RgbImage>> = indices
            .par_iter()
            .map(|index| Ok(view.cut(&images.load(*index)?)))
            .collect();
        let mut names = Vec::with_capacity(indices.len());
        let mut pixels = Vec::new();
        for (index, cropped) in indices.iter().zip(loaded) {
            match cropped {
                Ok(cropped) => {
                    let start = pixels.len();
                    pixels.resize(start + cropped.pixels().len(), 0.0);
                    normalize_into(&cropped, &mut pixels[start..]);
                    names.push(images.name(*index));
                }
                Err(error) => eprintln!("warning: {error:#} (skipped)"),
            }
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }

        // Of one readout asked for there is one tensor.
        let rows = self.features.encode(&[self.readout], pixels)?.remove(0);
        let rows: Vec<f32> = rows
            .try_into_vec_as()
            .map_err(|error| anyhow!("cannot read features from the device: {error:?}"))?;
        let mut classified = Vec::with_capacity(names.len());
        for (image, feature) in names.into_iter().zip(rows.chunks(self.classifier.dim())) {
            let probabilities = self.classifier.predict(feature)?;
            let classes = self.likely(&probabilities, top);
            classified.push(Classified { image, classes });
        }
        Ok(classified)
    }

    /// The `top` most likely classes; among equals the lower number comes first.
    fn likely(&self, probabilities: &[f32], top: usize) -> Vec<Likely> {
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        // A stable sort keeps the lower number of equals first.
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        order.truncate(top);
        let likely = order.into_iter().map(|index| Likely {
            index,
            class: self.names.get(index).cloned(),
            probability: probabilities[index],
        });
        likely.collect()
    }
}

/// One line a class, the first with the name of the image.
fn table(classified: &Classified, width: usize) -> String {
    let mut lines = Vec::with_capacity(classified.classes.len());
    for (rank, likely) in classified.classes.iter().enumerate() {
        let image = match rank {
            0 => classified.image.as_str(),
            _ => "",
        };
        let percent = 100.0 * likely.probability;
        let class = match &likely.class {
            Some(name) => name.clone(),
            None => format!("class {}", likely.index),
        };
        lines.push(format!("{image:width$}  {percent:5.1} %  {class}"));
    }
    lines.join("\n")
}

/// The error with what to do where a head does not say what it reads.
fn with_export(error: HeadError) -> anyhow::Error {
    match error {
        HeadError::Unknown { .. } => anyhow!(
            "{error}; `ibot export` with this file as --model and --head, --cls-blocks and --patch-mean writes a file that says it"
        ),
        other => other.into(),
    }
}
