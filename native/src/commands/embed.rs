//! `ibot embed`: features of a dataset for other programs.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::data::Dataset;
use crate::device::{self, DeviceChoice};
use crate::features::{
    Encoder, EvalView, FeatureFormat, FeatureStore, Pooling, Readout, write_features,
};
use crate::model::ModelArgs;

const HELP: &str = "\
Examples:
  ibot embed --data photos/ --model runs/photos --out photos.npy
  ibot embed --data imagenet/val --cls-blocks 4 --model vit_small.pth --out val.safetensors

Outputs  FILE has the features [images, width] in 32-bit floats, as .npy or .safetensors (tensor `features`). FILE.txt
         has the name of the image of each row, one a line, with its class after a tab where there are classes.
         The paper uses the last CLS token for k-NN, the last 4 for the linear evaluation of ViT-S, and CLS with the
         mean patch for ViT-B and ViT-L (section 4.1).";

/// Options of `ibot embed`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct EmbedArgs {
    /// Images: what `pretrain --data` takes
    #[arg(long)]
    data: String,
    #[command(flatten)]
    model: ModelArgs,
    /// File to write, .npy or .safetensors
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of last blocks whose CLS tokens are joined; 0 leaves CLS out
    #[arg(long, default_value_t = 1)]
    cls_blocks: usize,
    /// Also take the mean of the patch tokens of the last block
    #[arg(long)]
    patch_mean: bool,
    /// Side of the central crop in pixels [default: that of the model]
    #[arg(long)]
    size: Option<usize>,
    /// Most images, spread evenly over the data [default: all]
    #[arg(long)]
    limit: Option<usize>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
}

/// Runs `ibot embed`. Images that cannot be read are named and left out.
///
/// # Errors
/// If the data or the model cannot be read, no image can, or a file cannot be written.
pub fn run(args: &EmbedArgs) -> Result<()> {
    let format = FeatureFormat::of(&args.out).context("--out")?;
    let pooling = Pooling {
        cls_blocks: args.cls_blocks,
        patch_mean: args.patch_mean.into(),
    };
    ensure!(
        pooling.cls_blocks > 0 || args.patch_mean,
        "--cls-blocks 0 without --patch-mean leaves no feature"
    );

    let data = Dataset::open(&args.data)?;
    let device = device::select(args.device)?.device;
    let (model, line) = args.model.open(&device)?;
    println!("data    {}\n{line}", data.description());
    let depth = model.config.depth();
    ensure!(
        pooling.cls_blocks <= depth,
        "--cls-blocks {}: the network has {depth} blocks",
        pooling.cls_blocks
    );

    let view = EvalView {
        size: args.size.unwrap_or(model.config.image_size()),
        resize_ratio: model.eval_resize,
    };
    let encoder = Encoder::Network(&model.backbone);
    let store = FeatureStore::new(encoder, view, &[device])?.with_progress();
    let indices = data.subset(args.limit.unwrap_or(usize::MAX), 0);
    let features = store.rows(Readout::Pooled(pooling), &data, &indices)?;
    let written = write_features(&args.out, format, &data, features)?;

    let (out, list) = (args.out.display(), written.list.display());
    println!("out     {out} {:?}, {list}", written.shape);
    Ok(())
}
