//! `ibot export`: weights for other programs.

mod head;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use futures_lite::future::block_on;
use ibot_core::model::{Backbone, BackboneConfig, Network};
use ibot_core::onnx;
use ibot_core::weights;
use ibot_core::weights::{HeadHeader, ModelHeader, StoredPrecision, Weights, to_safetensors};

use self::head::HeadArgs;
use crate::device;
use crate::device::DeviceChoice;
use crate::files::write_atomically;
use crate::model::{WeightArgs, WeightFile, with_remedy};

pub const HELP: &str = "\
Examples:
  ibot export --model runs/photos --to safetensors --f16 --out photos.safetensors
  ibot export --model checkpoint.pth --key student --head --to safetensors --out student.safetensors
  ibot export --model runs/photos --pair --f16 --to safetensors --out pair.safetensors
  ibot export --model runs/photos --to onnx --size 224 --out photos.onnx
  ibot export --model runs/photos --head head.safetensors --to safetensors --out classifier.safetensors

safetensors  timm's names; without --head it loads strictly into timm's VisionTransformer(num_classes=0).
onnx         opset 17, free batch, fixed image size; input `image` [batch, 3, H, W] normalised with ImageNet's mean
             and deviation, outputs `cls` [batch, D] and `patches` [batch, N, D] after the final norm.
--head FILE  makes a classifier, which `ibot classify` and every --model read. FILE is of `ibot eval linear --save-head`,
             an official linear checkpoint (.pth; of several heads the best), or a classifier. timm's layout holds a
             head on one CLS token, or on the mean patch alone: it then loads strictly into
             VisionTransformer(num_classes=K). Other heads are written as `classifier.*`, which timm refuses.
             ONNX gets one more output, `logits` [batch, K]; its head reads the last block.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ExportArgs {
    #[command(flatten)]
    weights: WeightArgs,
    /// Format of the file
    #[arg(long)]
    to: Format,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write 16-bit floats, for half the size (safetensors only)
    #[arg(long)]
    f16: bool,
    #[command(flatten)]
    head: HeadArgs,
    /// Write student and teacher into one file, each with its head, as masked prediction needs them
    /// (safetensors only)
    #[arg(long, conflicts_with_all = ["key", "head"])]
    pair: bool,
    /// Interpolate position embeddings to this image size, N or WIDTHxHEIGHT [default: that of the
    /// linear head's images, or of pre-training]
    #[arg(long)]
    size: Option<ImageSize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Safetensors,
    Onnx,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ImageSize(usize, usize);

impl std::str::FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = text.split_once('x').unwrap_or((text, text));
        match (width.parse(), height.parse()) {
            (Ok(width), Ok(height)) if width > 0 && height > 0 => Ok(Self(width, height)),
            _ => Err(
                "give a number of pixels, such as 224, or WIDTHxHEIGHT, such as 320x224".to_owned(),
            ),
        }
    }
}

struct Tensors {
    weights: Weights,
    metadata: HashMap<String, String>,
}

pub fn run(args: &ExportArgs) -> Result<()> {
    // Before the model is read, which may take long.
    args.head.check()?;
    let bytes = match args.to {
        Format::Safetensors => safetensors(args)?,
        Format::Onnx => onnx(args)?,
    };
    write_atomically(&args.out, &bytes)?;
    println!(
        "out     {} ({:.1} MB)",
        args.out.display(),
        bytes.len() as f64 / 1e6
    );
    Ok(())
}

fn safetensors(args: &ExportArgs) -> Result<Vec<u8>> {
    let Tensors { weights, metadata } = if args.pair {
        let (student, _) = network(args, Some("student"))?;
        let (teacher, header) = network(args, Some("teacher"))?;
        Tensors {
            weights: block_on(weights::timm_pair(&student, &teacher))?,
            metadata: header.to_metadata()?,
        }
    } else if args.head.is_own() {
        let (Network { backbone, head }, header) = network(args, args.weights.key.as_deref())?;
        Tensors {
            weights: block_on(weights::timm(&backbone, Some(&head)))?,
            metadata: header.to_metadata()?,
        }
    } else if let Some(head) = args.head.file() {
        classifier(args, head)?
    } else {
        let (backbone, header) = backbone(args, args.weights.read(false)?, args.size)?;
        Tensors {
            weights: block_on(weights::timm(&backbone, None))?,
            metadata: header.to_metadata()?,
        }
    };

    let precision = if args.f16 {
        StoredPrecision::F16
    } else {
        StoredPrecision::F32
    };
    Ok(to_safetensors(&weights, metadata, precision)?)
}

/// The backbone with the linear head of the file `head`. Its position embeddings are those for the
/// images of the head, so that timm computes with the same ones.
fn classifier(args: &ExportArgs, head: &Path) -> Result<Tensors> {
    let model = args.weights.read(false)?;
    let network = model.checkpoint.header_for(model.config.clone());
    let (head, mut described) = args.head.linear(head, &network)?;
    if let Some(ImageSize(width, _)) = args.size {
        described.size = width;
    }

    let side = ImageSize(described.size, described.size);
    let (backbone, header) = backbone(args, model, Some(args.size.unwrap_or(side)))?;
    println!("{}", layout(&described, head.classes()));
    let mut weights = block_on(weights::timm(&backbone, None))?;
    weights.extend(head.beside_backbone(&described));
    let mut metadata = header.to_metadata()?;
    let entry = serde_json::to_string(&described)?;
    metadata.insert(HeadHeader::KEY.to_owned(), entry);
    Ok(Tensors { weights, metadata })
}

/// One line on what the head reads, and how timm loads the file.
fn layout(head: &HeadHeader, classes: usize) -> String {
    let reads = match (head.cls_blocks, head.patch_mean) {
        (1, false) => "the CLS token".to_owned(),
        (0, true) => "the mean patch token".to_owned(),
        (blocks, false) => format!("the CLS tokens of {blocks} blocks"),
        (1, true) => "the CLS token and the mean patch token".to_owned(),
        (blocks, true) => format!("the CLS tokens of {blocks} blocks and the mean patch token"),
    };
    let timm = match (head.cls_blocks, head.patch_mean) {
        (1, false) => format!("timm: num_classes={classes}"),
        (0, true) => format!("timm: num_classes={classes}, global_pool=\"avg\", fc_norm=False"),
        _ => "only `ibot classify` reads it: timm has no such head".to_owned(),
    };
    format!("head    {classes} classes from {reads}; {timm}")
}

fn onnx(args: &ExportArgs) -> Result<Vec<u8>> {
    if args.head.is_own() || args.pair || args.f16 {
        bail!(
            "--head without a file, --pair and --f16 are for --to safetensors: the ONNX model is the backbone, with a linear head at most, in 32 bits"
        );
    }

    let model = args.weights.read(false)?;
    let network = model.checkpoint.header_for(model.config.clone());
    let head = match args.head.file() {
        Some(head) => Some(args.head.linear(head, &network)?),
        None => None,
    };

    // The graph takes images of any sides, so the position embeddings stay as they are.
    let (backbone, header) = backbone(args, model, None)?;
    let mut weights = block_on(weights::read(&backbone))?;
    let config = &header.backbone;
    let Some((head, described)) = head else {
        let own = config.image_size();
        let ImageSize(width, height) = args.size.unwrap_or(ImageSize(own, own));
        return Ok(onnx::backbone(&weights, config, width, height)?);
    };
    let own = described.size;
    let ImageSize(width, height) = args.size.unwrap_or(ImageSize(own, own));
    weights.extend(head.alone());
    Ok(onnx::classifier(
        &weights, config, &described, width, height,
    )?)
}

/// The backbone of the file, for images of another size if one is given, and what the header says
/// of it.
fn backbone(
    args: &ExportArgs,
    model: WeightFile,
    size: Option<ImageSize>,
) -> Result<(Backbone, ModelHeader)> {
    let WeightFile {
        file,
        checkpoint,
        config,
    } = model;
    // Whoever gets the file shows whole images to the network.
    let config = resized(config, size)?.with_mask_token(false);
    // Weights are only read and written, which needs no GPU.
    let device = device::select(DeviceChoice::Cpu)?.device;

    let (backbone, report) = checkpoint
        .backbone(&config, args.weights.allow_partial, &device)
        .map_err(with_remedy)
        .with_context(|| format!("model {}", file.display()))?;
    println!("model   {}: {report}", file.display());
    Ok((backbone, checkpoint.header_for(config)))
}

/// The network of a part of the file, and what the header says of it.
fn network(args: &ExportArgs, key: Option<&str>) -> Result<(Network, ModelHeader)> {
    let part = WeightArgs {
        key: key.map(str::to_owned),
        ..args.weights.clone()
    };
    let WeightFile {
        file,
        checkpoint,
        config,
    } = part.read(true)?;
    let config = resized(config, args.size)?;
    let device = device::select(DeviceChoice::Cpu)?.device;

    let (network, report) = checkpoint
        .network(&config, part.allow_partial, &device)
        .map_err(with_remedy)
        .with_context(|| format!("model {}", file.display()))?;
    println!("model   {}: {report}", file.display());
    Ok((network, checkpoint.header_for(config)))
}

/// The network made for images of another size, as far as timm has such networks.
fn resized(config: BackboneConfig, size: Option<ImageSize>) -> Result<BackboneConfig> {
    let Some(ImageSize(width, height)) = size else {
        return Ok(config);
    };
    ensure!(
        width == height,
        "timm's position embeddings are square: --size takes one number here"
    );
    ensure!(
        width.is_multiple_of(config.stride()),
        "--size {width} is no multiple of patches of {}",
        config.stride()
    );
    Ok(config.with_image_size(width))
}
