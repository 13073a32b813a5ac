//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::data::Dataset;
use crate::device::{self, DeviceChoice};
use crate::features::EvalView;
use crate::knn::{Space, Split, evaluate};
use crate::model_file::load_backbone;
use crate::pretrain::{Ending, PretrainRequest, pretrain};
use crate::recipe::{RECIPES, Settings};

/// iBOT: image BERT pre-training with an online tokenizer.
#[derive(Debug, Parser)]
#[command(name = "ibot", version, after_help = "See `ibot COMMAND --help` for inputs, outputs and examples.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pre-train a vision transformer on images without labels.
    Pretrain(PretrainArgs),
    /// Classify images by the nearest neighbours of their frozen features (paper section 4.1).
    Knn(KnnArgs),
}

const PRETRAIN_HELP: &str = "\
Examples:
  ibot pretrain
  ibot pretrain --data photos/ --recipe cpu-quick --set optim.epochs=20 --out runs/photos
  ibot pretrain --out runs/photos --resume

Data: `builtin`, a folder of images at any depth (class folders give labels; none are needed), a .tar of one,
a text list of paths, or IDX files of the MNIST family.

Writes to the run's folder: config.toml, metrics.jsonl, tensorboard/, checkpoints/, teacher.safetensors (timm names),
preview.png (crops and masks), curves.svg. Ctrl-C saves first.";

#[derive(Debug, Args)]
#[command(after_help = PRETRAIN_HELP)]
struct PretrainArgs {
    /// Images to learn from [default: builtin, scenes drawn by the program]
    #[arg(long)]
    data: Option<String>,
    /// Folder of the run [default: runs/ and the name of the recipe or file, numbered if taken]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Settings inside the program [default: builtin for builtin data, else vit-small-imagenet]
    #[arg(long, conflicts_with = "config", value_parser = clap::builder::PossibleValuesParser::new(RECIPES.map(|(name, _)| name)))]
    recipe: Option<String>,
    /// Settings in a TOML file, such as the config.toml of another run
    #[arg(long)]
    config: Option<PathBuf>,
    /// Change one setting, for example optim.epochs=10; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Seed of everything random
    #[arg(long)]
    seed: Option<u64>,
    /// Evaluate k-NN every N epochs, and once before the first
    #[arg(long, value_name = "N")]
    knn_every: Option<usize>,
    /// Continue the run in --out where it stopped
    #[arg(long, conflicts_with_all = ["recipe", "config", "seed"])]
    resume: bool,
}

const KNN_HELP: &str = "\
Example:
  ibot knn --data cifar10/train.tar --val cifar10/test.tar --model runs/cifar --bank 10000 --queries 2000

Prints top-1 and top-5 for k = 10, 20, 100 and 200 (clamped to the bank), weight exp(cosine / 0.07).";

#[derive(Debug, Args)]
#[command(after_help = KNN_HELP)]
struct KnnArgs {
    /// Labelled images that vote: what `pretrain --data` takes
    #[arg(long)]
    data: String,
    /// Labelled images to classify
    #[arg(long)]
    val: String,
    /// Folder of a run, a .safetensors that one wrote, `untrained` (needs --recipe), or `pixels`
    #[arg(long)]
    model: String,
    /// With --model untrained: the recipe of the network
    #[arg(long)]
    recipe: Option<String>,
    /// With --model untrained: the seed of the network
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Most images in the bank, spread evenly over it [default: all]
    #[arg(long)]
    bank: Option<usize>,
    /// Most images to classify, spread evenly over them [default: all]
    #[arg(long)]
    queries: Option<usize>,
    /// Side of the central crop in pixels [default: that of pre-training]
    #[arg(long)]
    size: Option<usize>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Runs a command; its exit status.
///
/// # Errors
/// What went wrong, for a person.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Pretrain(args) => run_pretrain(args),
        Command::Knn(args) => run_knn(args).map(|()| ExitCode::SUCCESS),
    }
}

fn run_pretrain(args: PretrainArgs) -> Result<ExitCode> {
    let mut set = args.set;
    if args.resume && set.iter().any(|assignment| !assignment.starts_with("run.")) {
        bail!("--resume continues with the run's own config.toml: only run.* settings can be changed");
    }
    set.extend(args.data.as_ref().map(|data| format!("run.data={}", serde_json::Value::from(data.as_str()))));
    set.extend(args.seed.map(|seed| format!("run.seed={seed}")));
    set.extend(args.knn_every.map(|every| format!("run.knn_every={every}")));
    let default_recipe = if args.data.as_ref().is_none_or(|data| data.starts_with("builtin")) {
        "builtin"
    } else {
        "vit-small-imagenet"
    };
    let recipe = args.recipe.as_deref().unwrap_or(default_recipe);
    let settings = match (&args.config, &args.out, args.resume) {
        (_, Some(out), true) => Settings::from_file(&out.join("config.toml"), &set)
            .with_context(|| format!("{} cannot be resumed", out.display()))?,
        (Some(file), _, _) => Settings::from_file(file, &set)?,
        _ => Settings::from_recipe(recipe, &set)?,
    };
    let name = args.config.as_deref().and_then(|file| file.file_stem()?.to_str()).unwrap_or(recipe);
    let request =
        PretrainRequest { settings, name: name.to_owned(), out: args.out, resume: args.resume, device: args.device };
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    ctrlc::set_handler(move || {
        // Whoever asks twice does not want to wait for the checkpoint.
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this step; once more to stop without saving");
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(match pretrain(request, &interrupted)? {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Interrupted => ExitCode::from(130),
    })
}

fn run_knn(args: KnnArgs) -> Result<()> {
    let train = Dataset::open(&args.data)?;
    let val = Dataset::open(&args.val)?;
    let split = Split::of_two(&train, &val, args.bank.unwrap_or(usize::MAX), args.queries.unwrap_or(usize::MAX))?;
    let selected = device::select(args.device)?;
    let untrained = || -> Result<_> {
        let recipe = args.recipe.as_deref().context("--model untrained needs --recipe, the network's")?;
        let settings = Settings::from_recipe(recipe, &[])?;
        // A network draws its backbone first, so this is the one that pre-training with this seed starts from.
        let mut rng = ibot_core::rng::stream(args.seed, ibot_core::rng::Purpose::Init, 0, 0);
        Ok((
            settings.config.vit().init(&selected.device, &mut rng),
            settings.config.crops.global_size,
            settings.run.eval_resize,
        ))
    };
    let (backbone, own_size, ratio) = match args.model.as_str() {
        "pixels" => (None, 32, 1.0),
        "untrained" => untrained().map(|(backbone, size, ratio)| (Some(backbone), size, ratio))?,
        path => {
            let (backbone, header) = load_backbone(path.as_ref(), &selected.device)?;
            (Some(backbone), header.vit.image_size, header.eval_resize)
        }
    };
    let size = args.size.unwrap_or(own_size);
    if let Some(backbone) = &backbone
        && !size.is_multiple_of(backbone.patch_size())
    {
        bail!("--size {size} is not a multiple of the model's patches of {} pixels", backbone.patch_size());
    }
    let space = backbone.as_ref().map_or(Space::Pixels, Space::Network);
    let (bank, queries) = split.sizes();
    if !args.json {
        println!(
            "bank     {bank} images of {}\nqueries  {queries} images of {}",
            train.description(),
            val.description()
        );
        println!("model    {} at {size} x {size} on {}\n\n   k   top-1   top-5", args.model, selected.description);
    }
    for accuracy in evaluate(&space, &split, EvalView::new(size, ratio), device::cores(), &selected.device)? {
        let (k, top1, top5) = (accuracy.k, 100.0 * accuracy.top1, 100.0 * accuracy.top5);
        if args.json {
            println!(
                "{}",
                json!({ "k": k, "top1": accuracy.top1, "top5": accuracy.top5, "bank": bank, "queries": queries })
            );
        } else {
            println!("{k:4}  {top1:5.1} %  {top5:5.1} %");
        }
    }
    Ok(())
}
