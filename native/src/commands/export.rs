//! `ibot export`: weights for other programs.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use futures_lite::future::block_on;
use ibot_core::model::{Backbone, BackboneConfig, Network};
use ibot_core::onnx;
use ibot_core::weights;
use ibot_core::weights::{ModelHeader, StoredPrecision, to_safetensors};

use crate::device;
use crate::device::DeviceChoice;
use crate::files::write_atomically;
use crate::model::{WeightArgs, WeightFile, with_remedy};

/// What `ibot export --help` says beyond its options.
pub const HELP: &str = "\
Examples:
  ibot export --model runs/photos --to safetensors --f16 --out photos.safetensors
  ibot export --model checkpoint.pth --key student --head --to safetensors --out student.safetensors
  ibot export --model runs/photos --pair --f16 --to safetensors --out pair.safetensors
  ibot export --model runs/photos --to onnx --size 224 --out photos.onnx

safetensors  timm's names; without --head it loads strictly into timm's VisionTransformer(num_classes=0).
onnx         opset 17, free batch, fixed image size; input `image` [batch, 3, H, W] normalised with ImageNet's mean
             and deviation, outputs `cls` [batch, D] and `patches` [batch, N, D] after the final norm.";

/// Options of `ibot export`.
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
    /// Also write the iBOT head and the mask token (safetensors only)
    #[arg(long)]
    head: bool,
    /// Write student and teacher into one file, each with its head, as masked prediction needs them
    /// (safetensors only)
    #[arg(long, conflicts_with_all = ["key", "head"])]
    pair: bool,
    /// Interpolate position embeddings to this image size, N or WIDTHxHEIGHT [default: the size of
    /// pre-training]
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

/// Runs `ibot export`.
///
/// # Errors
/// If the model cannot be read, the options do not fit the format, or the file cannot be written.
pub fn run(args: &ExportArgs) -> Result<()> {
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
    let (weights, header) = if args.pair {
        let (student, _) = network(args, Some("student"))?;
        let (teacher, header) = network(args, Some("teacher"))?;
        (block_on(weights::timm_pair(&student, &teacher))?, header)
    } else if args.head {
        let (Network { backbone, head }, header) = network(args, args.weights.key.as_deref())?;
        (block_on(weights::timm(&backbone, Some(&head)))?, header)
    } else {
        let (backbone, header) = backbone(args, args.size)?;
        (block_on(weights::timm(&backbone, None))?, header)
    };

    let precision = if args.f16 {
        StoredPrecision::F16
    } else {
        StoredPrecision::F32
    };
    Ok(to_safetensors(&weights, header.to_metadata()?, precision)?)
}

fn onnx(args: &ExportArgs) -> Result<Vec<u8>> {
    if args.head || args.pair || args.f16 {
        bail!(
            "--head, --pair and --f16 are for --to safetensors: the ONNX model is the backbone in 32 bits"
        );
    }

    // The graph takes images of any sides, so the position embeddings stay as they are.
    let (backbone, header) = backbone(args, None)?;
    let own = header.backbone.image_size();
    let ImageSize(width, height) = args.size.unwrap_or(ImageSize(own, own));
    let weights = block_on(weights::read(&backbone))?;
    Ok(onnx::backbone(&weights, &header.backbone, width, height)?)
}

/// The backbone of the file, for images of another size if one is given, and what the header says
/// of it.
fn backbone(args: &ExportArgs, size: Option<ImageSize>) -> Result<(Backbone, ModelHeader)> {
    let WeightFile {
        file,
        checkpoint,
        config,
    } = args.weights.read(false)?;
    let config = resized(config, size)?.with_mask_token(false);
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
