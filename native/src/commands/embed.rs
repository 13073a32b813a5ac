//! `ibot embed`: features of a dataset for other programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::data::Dataset;
use crate::features::{
    EvalView, FeatureArgs, FeatureFormat, FeatureTable, Pooling, Readout, write_features,
};
use crate::model::ModelArgs;

const HELP: &str = "\
Examples:
  ibot embed --data photos/ --model runs/photos --out photos.npy
  ibot embed --data imagenet/val --cls-blocks 4 --model vit_small.pth --out val.safetensors
  ibot embed --data photos/ --model runs/photos --tokens patches --out patches.parquet

Outputs  FILE has the features [images, width] in 32-bit floats, as .npy or .safetensors (tensor `features`); patch
         tokens have the shape [images, rows, columns, width]. FILE.txt has the name of the image of each row, one a
         line, with its class after a tab where there are classes. A .parquet holds all in one file, with the columns
         file, label (where there are classes) and embedding (a list of fixed size); patch tokens have a row each, with
         row and col.
         The paper uses the last CLS token for k-NN, the last 4 for the linear evaluation of ViT-S, and CLS with the
         mean patch for ViT-B and ViT-L (section 4.1).

While it works, features lie in the folder FILE.parts. After a kill, --resume takes what is there; what was not written
yet, the last 10 seconds at most, is computed again. With --features they lie in DIR, and stay there.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct EmbedArgs {
    /// Images: what `pretrain --data` takes
    #[arg(long)]
    data: String,
    #[command(flatten)]
    model: ModelArgs,
    /// File to write: .npy, .safetensors or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What to write of an image: one feature, or its patch tokens after the final norm
    #[arg(long, value_enum, default_value_t = TokenChoice::Image)]
    tokens: TokenChoice,
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
    #[command(flatten)]
    features: FeatureArgs,
    /// Take the features that an earlier command left in FILE.parts when it was killed
    #[arg(long)]
    resume: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TokenChoice {
    /// One feature, of CLS tokens and the mean patch.
    Image,
    Patches,
}

/// Runs `ibot embed`. Images that cannot be read are named and left out.
pub fn run(args: &EmbedArgs) -> Result<()> {
    let format = FeatureFormat::of(&args.out).context("--out")?;
    let readout = readout(args)?;

    let data = Dataset::open(&args.data)?;
    let mut extraction = args.features.open(true)?;
    let (model, line) = args.model.open(extraction.device())?;
    println!("data    {}\n{line}", data.description());
    let depth = model.config.depth();
    ensure!(
        args.cls_blocks <= depth,
        "--cls-blocks {}: the network has {depth} blocks",
        args.cls_blocks
    );

    // A folder of features that is asked for outlives the command.
    let parts = match &extraction.cache {
        Some(_) => None,
        None => Some(parts_folder(&args.out, args.resume)?),
    };
    if let Some(parts) = &parts {
        extraction.cache = Some(parts.clone());
    }
    let view = EvalView {
        // An `ibot embed` without --size sees images as the evaluations do.
        size: args.size.unwrap_or(model.config.image_size()),
        resize_ratio: model.eval_resize,
    };
    let store = extraction.store(Some(&model), view)?;
    let indices = data.subset(args.limit.unwrap_or(usize::MAX), 0);
    let rows = store.rows(readout, &data, &indices)?;

    let (images, encoded) = (rows.indices.len(), store.encoded());
    println!("images  {images}, {encoded} of them through the network");
    let grid = match args.tokens {
        TokenChoice::Image => None,
        TokenChoice::Patches => Some(model.config.grid(view.size, view.size)),
    };
    // The store holds the same rows as the table, and they may fill half of the memory.
    drop(store);
    let table = FeatureTable::new(rows, grid);
    let list = write_features(&args.out, format, &data, &table)?;
    // Not before the file is written: until then a kill loses nothing.
    if let Some(parts) = &parts {
        fs::remove_dir_all(parts).with_context(|| format!("cannot remove {}", parts.display()))?;
    }

    let list = list.map(|list| format!(", {}", list.display()));
    let (out, shape) = (args.out.display(), table.shape());
    println!("out     {out} {shape:?}{}", list.unwrap_or_default());
    Ok(())
}

fn readout(args: &EmbedArgs) -> Result<Readout> {
    if args.tokens == TokenChoice::Patches {
        ensure!(
            args.cls_blocks == 1 && !args.patch_mean,
            "--tokens patches writes patch tokens only: leave --cls-blocks and --patch-mean out"
        );
        return Ok(Readout::Patches);
    }
    ensure!(
        args.cls_blocks > 0 || args.patch_mean,
        "--cls-blocks 0 without --patch-mean leaves no feature"
    );
    Ok(Readout::Pooled(Pooling {
        cls_blocks: args.cls_blocks,
        patch_mean: args.patch_mean.into(),
    }))
}

/// The folder of features beside `out` while it is not written; an older one is emptied unless the
/// command is to `resume`.
fn parts_folder(out: &Path, resume: bool) -> Result<PathBuf> {
    let mut parts = out.to_owned().into_os_string();
    parts.push(".parts");
    let parts = PathBuf::from(parts);

    if !resume && parts.is_dir() {
        fs::remove_dir_all(&parts).with_context(|| format!("cannot remove {}", parts.display()))?;
    }
    fs::create_dir_all(&parts).with_context(|| format!("cannot make {}", parts.display()))?;
    Ok(parts)
}
