//! `ibot pretrain`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::training::{RunArgs, exit_code, watch_for_signals};
use crate::eval::{Evaluation, Knn, ScheduledEval};
use crate::pretrain::PretrainJob;
use crate::run::train::train;
use crate::settings::{RECIPES, Settings};

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
    /// A set of settings inside the program [default: builtin for builtin data, else vit-small-imagenet]
    #[arg(long, conflicts_with = "config", value_parser = clap::builder::PossibleValuesParser::new(RECIPES.map(|(name, _)| name)))]
    recipe: Option<String>,
    /// Weights to start from: a .safetensors or .pth of the same dimensions [default: random]
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    init: Option<String>,
    /// Evaluate k-NN every N epochs, and once before training; 0 evaluates never
    #[arg(long, value_name = "N")]
    knn_every: Option<usize>,
    #[command(flatten)]
    run: RunArgs,
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
        let mut settings: Settings = self.run.settings(self.recipe())?;

        // The options outrank `--set`.
        if let Some(data) = &self.data {
            settings.run.data.clone_from(data);
        }
        if self.init.is_some() {
            settings.run.init.clone_from(&self.init);
        }
        if let Some(every) = self.knn_every {
            evaluate_knn(&mut settings.eval, every);
        }
        settings.check()?;
        Ok(settings)
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

pub fn run(args: &PretrainArgs) -> Result<ExitCode> {
    let settings = args.settings()?;
    let request = args.run.request(args.recipe());
    // After the settings are sound: until then Ctrl-C ends the program at once.
    let interrupted = watch_for_signals()?;
    let ending = train(&request, &interrupted, |place| {
        PretrainJob::plan(settings, place)
    })?;
    Ok(exit_code(ending))
}
