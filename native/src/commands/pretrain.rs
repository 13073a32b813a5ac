//! `ibot pretrain`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::device::Devices;
use crate::eval::{Evaluation, Knn, ScheduledEval};
use crate::exchange::Stop;
use crate::pretrain::{PretrainRequest, pretrain};
use crate::run::ending::Ending;
use crate::settings::{RECIPES, Settings, Source};

const HELP: &str = "\
Examples:
  ibot pretrain
  ibot pretrain --data photos/ --recipe cpu-quick --set optim.epochs=20 --out runs/photos
  ibot pretrain --out runs/photos --resume

Data: `builtin`, a folder of images at any depth, a .tar or .tar.gz of such a folder, a .txt or .csv list of paths, IDX
files of the MNIST family (also .gz), or CIFAR-10/100, Flowers-102, Stanford Cars and iNaturalist as they are published.
A part follows a colon: cifar-10-python.tar.gz:test, inat2018:val. FOLDER:LIST.txt takes the images that a text file
names, such as 1 % of ImageNet. Class folders give labels, which training does not need. All forms: docs/training.md.

Files in the folder of the run: config.toml, metrics.jsonl, tensorboard/, checkpoints/, teacher.safetensors (timm's names),
preview.png (crops and masks), curves.svg, and status.json (the state of the run, for programs).

Ctrl-C and SIGTERM stop the run after the current step and any evaluation, and write a checkpoint. A second signal stops
at once. A kill loses the steps since the last checkpoint: at most an epoch, or run.save_every minutes.

Exit status: 0 complete; 1 failed; 2 wrong usage; 75 --max-hours are over; 130 interrupted. After 75 and 130 the run is
saved, and --resume continues it.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct PretrainArgs {
    /// Images to learn from [default: builtin, scenes drawn by the program]
    #[arg(long)]
    data: Option<String>,
    /// Folder of the run [default: runs/ and the name of the recipe or file, numbered if taken]
    #[arg(long)]
    out: Option<PathBuf>,
    /// A set of settings inside the program [default: builtin for builtin data, else vit-small-imagenet]
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
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N. Several, with commas between,
    /// share each batch; `all` takes every GPU. See docs/scale.md for several machines
    #[arg(long, visible_alias = "device", default_value = "auto")]
    devices: Devices,
    /// Seed of all random numbers
    #[arg(long)]
    seed: Option<u64>,
    /// Evaluate k-NN every N epochs, and once before training; 0 evaluates never
    #[arg(long, value_name = "N")]
    knn_every: Option<usize>,
    /// Save and stop before this process has run for H hours; --resume continues
    #[arg(long, value_name = "H")]
    max_hours: Option<f64>,
    /// Continue the run in --out where it stopped
    #[arg(long, conflicts_with_all = ["recipe", "config", "seed"])]
    resume: bool,
}

fn default_recipe(data: Option<&str>) -> &'static str {
    match data {
        Some(data) if !data.starts_with("builtin") => "vit-small-imagenet",
        _ => "builtin",
    }
}

impl PretrainArgs {
    fn recipe(&self) -> &str {
        let default = default_recipe(self.data.as_deref());
        self.recipe.as_deref().unwrap_or(default)
    }

    /// The settings of a new run, or those of the run to resume, with all options applied.
    fn settings(&self) -> Result<Settings> {
        let mut settings = match (&self.out, self.resume) {
            (Some(out), true) => Settings::read(Source::File(&out.join("config.toml")), &self.set)
                .with_context(|| format!("{} cannot be resumed", out.display()))?,
            _ => {
                let source = match &self.config {
                    Some(file) => Source::File(file),
                    None => Source::Recipe(self.recipe()),
                };
                Settings::read(source, &self.set)?
            }
        };
        self.apply(&mut settings);
        settings.check()?;
        Ok(settings)
    }

    fn apply(&self, settings: &mut Settings) {
        // The options outrank `--set`.
        let run = &mut settings.run;
        if let Some(data) = &self.data {
            run.data.clone_from(data);
        }
        if self.init.is_some() {
            run.init.clone_from(&self.init);
        }
        run.seed = self.seed.unwrap_or(run.seed);
        run.max_hours = self.max_hours.unwrap_or(run.max_hours);

        if let Some(every) = self.knn_every {
            evaluate_knn(&mut settings.eval, every);
        }
    }
}

/// Evaluates the first k-NN entry `every` few epochs, a new one if there is none.
fn evaluate_knn(entries: &mut Vec<ScheduledEval>, every: usize) {
    for entry in entries.iter_mut() {
        if matches!(entry.evaluation, Evaluation::Knn(_)) {
            entry.every = every;
            return;
        }
    }
    entries.push(ScheduledEval {
        every,
        size: None,
        resize: None,
        evaluation: Evaluation::Knn(Knn::default()),
    });
}

// What shells report of Ctrl-C.
const INTERRUPTED: u8 = 130;
// `EX_TEMPFAIL` of sysexits.h: "try again".
const OUT_OF_TIME: u8 = 75;
// Signals that come within this time are one request.
const SAME_REQUEST: Duration = Duration::from_millis(500);

pub fn run(args: PretrainArgs) -> Result<ExitCode> {
    let sets_more = |assignment: &String| !assignment.starts_with("run.");
    if args.resume && args.set.iter().any(sets_more) {
        bail!(
            "--resume continues with the run's own config.toml: only run.* settings can be changed"
        );
    }

    let settings = args.settings()?;
    let name = args
        .config
        .as_deref()
        .and_then(|file| file.file_stem()?.to_str())
        .unwrap_or_else(|| args.recipe());
    let request = PretrainRequest {
        settings,
        name: name.to_owned(),
        out: args.out,
        resume: args.resume,
        devices: args.devices,
    };
    // After the settings are sound: until then Ctrl-C ends the program at once.
    let interrupted = watch_for_signals()?;
    Ok(match pretrain(&request, &interrupted)? {
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
