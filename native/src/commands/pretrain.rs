//! `ibot pretrain`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::device::Devices;
use crate::exchange::Stop;
use crate::pretrain::{Ending, PretrainRequest, pretrain};
use crate::recipe::{RECIPES, Settings};

const HELP: &str = "\
Examples:
  ibot pretrain
  ibot pretrain --data photos/ --recipe cpu-quick --set optim.epochs=20 --out runs/photos
  ibot pretrain --out runs/photos --resume

Data: `builtin`, a folder of images at any depth (class folders give labels; none are needed), a .tar of one,
a text list of paths, or IDX files of the MNIST family.

Writes to the run's folder: config.toml, metrics.jsonl, tensorboard/, checkpoints/, teacher.safetensors (timm names),
preview.png (crops and masks), curves.svg, status.json (where it stands, for programs).

Ctrl-C and SIGTERM save first: after the step under way and any k-NN evaluation, one checkpoint is written. A second
signal does not wait. A kill loses the steps since the last checkpoint: at most an epoch or run.save_every minutes.

Exit status: 0 done; 1 failed; 2 wrong usage; 75 --max-hours over and 130 interrupted: both saved, --resume continues.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct PretrainArgs {
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
    /// Weights to start from: a .safetensors or .pth of the same dimensions [default: random]
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    init: Option<String>,
    /// Change one setting, for example optim.epochs=10; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N; several with commas between, as
    /// one with the whole batch; all for every GPU. See docs/scale.md for several machines
    #[arg(long, visible_alias = "device", default_value = "auto")]
    devices: Devices,
    /// Seed of everything random
    #[arg(long)]
    seed: Option<u64>,
    /// Evaluate k-NN every N epochs, and once before the first
    #[arg(long, value_name = "N")]
    knn_every: Option<usize>,
    /// Stop, saved, before this process has run for H hours; --resume continues
    #[arg(long, value_name = "H")]
    max_hours: Option<f64>,
    /// Continue the run in --out where it stopped
    #[arg(long, conflicts_with_all = ["recipe", "config", "seed"])]
    resume: bool,
}

/// Exit status of a run that was interrupted: what shells report of Ctrl-C.
const INTERRUPTED: u8 = 130;
/// Exit status of a run whose time was up: `EX_TEMPFAIL` of sysexits.h, "try again".
const OUT_OF_TIME: u8 = 75;
/// Signals that come within this time are one request.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// Runs `ibot pretrain` and returns its exit status.
///
/// # Errors
/// If the settings, the data, the device or the folder cannot be used, or training diverges.
pub fn run(args: PretrainArgs) -> Result<ExitCode> {
    let mut set = args.set;
    if args.resume && set.iter().any(|assignment| !assignment.starts_with("run.")) {
        bail!(
            "--resume continues with the run's own config.toml: only run.* settings can be changed"
        );
    }
    set.extend(
        args.data
            .as_ref()
            .map(|data| format!("run.data={}", serde_json::Value::from(data.as_str()))),
    );
    set.extend(
        args.init
            .as_ref()
            .map(|init| format!("run.init={}", serde_json::Value::from(init.as_str()))),
    );
    set.extend(args.seed.map(|seed| format!("run.seed={seed}")));
    set.extend(args.max_hours.map(|hours| format!("run.max_hours={hours}")));
    set.extend(args.knn_every.map(|every| format!("run.knn_every={every}")));
    let default_recipe = if args
        .data
        .as_ref()
        .is_none_or(|data| data.starts_with("builtin"))
    {
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
    let name = args
        .config
        .as_deref()
        .and_then(|file| file.file_stem()?.to_str())
        .unwrap_or(recipe);
    let request = PretrainRequest {
        settings,
        name: name.to_owned(),
        out: args.out,
        resume: args.resume,
        devices: args.devices,
    };
    let interrupted = watch_for_signals()?;
    Ok(match pretrain(request, &interrupted)? {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Stopped(Stop::Interrupted) => ExitCode::from(INTERRUPTED),
        Ending::Stopped(Stop::OutOfTime) => ExitCode::from(OUT_OF_TIME),
    })
}

/// Set by the first Ctrl-C, SIGTERM or SIGHUP; the second ends the process.
fn watch_for_signals() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let (flag, mut first) = (interrupted.clone(), None);
    ctrlc::set_handler(move || {
        // Whoever asks twice does not want to wait for the checkpoint. Schedulers signal a process
        // and its group, which is asking once.
        if first.get_or_insert_with(Instant::now).elapsed() > SAME_REQUEST {
            std::process::exit(INTERRUPTED.into());
        }
        if !flag.swap(true, Ordering::Relaxed) {
            eprintln!("\nstopping after this step; once more to stop without saving");
        }
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(interrupted)
}
