//! `ibot finetune`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::training::{RunArgs, exit_code, watch_for_signals};
use crate::finetune::FinetuneJob;
use crate::run::train::train;
use crate::settings::{FINETUNE_RECIPES, FinetuneSettings};

const HELP: &str = "\
Examples:
  ibot finetune --data cifar10/train.tar --val cifar10/test.tar --init runs/cifar --recipe finetune-quick
  ibot finetune --data photos/train --val photos/val --init dinov2.safetensors --recipe vit-small-imagenet
  ibot finetune --data photos/train --val photos/val --init runs/photos --recipe finetune-quick --set model.lora_rank=8
  ibot finetune --out runs/finetune-quick --resume

Data: images with labels, in any form that `ibot pretrain` takes: a folder with a folder for each class, a .tar of it, a list
or CSV with labels, IDX files, CIFAR, Flowers-102, Cars and iNaturalist as they are published, or `builtin`; a part follows a
colon (flowers102:test), and a text list of file names chooses some (imagenet/train:1percent.txt). --val are other images of the same classes, on which the accuracy is measured.

Weights: --init is the folder of a run, a .safetensors or a .pth; of it the backbone is taken. --untrained takes only its
dimensions, and random weights: what is lost by it is what pre-training adds.

Files in the folder of the run: config.toml, metrics.jsonl, tensorboard/, checkpoints/, classifier.safetensors (backbone and
classifier of the last epoch, timm's names), best.safetensors (of the epoch with the best accuracy on --val), preview.png
(augmented images), curves.svg and status.json. `ibot classify`, `ibot eval accuracy` and `ibot export` open them.

Ctrl-C and SIGTERM stop the run after the current step and any evaluation, and write a checkpoint. A second signal stops
at once. Exit status: 0 complete; 1 failed; 2 wrong usage; 75 --max-hours are over; 130 interrupted. After 75 and 130 the
run is saved, and --resume continues it.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct FinetuneArgs {
    /// Images to learn from, with labels [default: builtin, scenes drawn by the program]
    #[arg(long)]
    data: Option<String>,
    /// Images to measure the accuracy on [default: builtin:val for builtin data, else none]
    #[arg(long)]
    val: Option<String>,
    /// Weights to start from: a run, a .safetensors or a .pth
    #[arg(long, value_name = "PATH", required_unless_present_any = ["resume", "config"], conflicts_with = "resume")]
    init: Option<String>,
    /// Start from random weights of the same dimensions
    #[arg(long, conflicts_with = "resume")]
    untrained: bool,
    /// A set of settings inside the program
    #[arg(long, default_value = "finetune-quick", conflicts_with = "config", value_parser = clap::builder::PossibleValuesParser::new(FINETUNE_RECIPES.map(|(name, _)| name)))]
    recipe: String,
    #[command(flatten)]
    run: RunArgs,
}

impl FinetuneArgs {
    /// The settings of a new run, or those of the run to resume, with all options applied.
    fn settings(&self) -> Result<FinetuneSettings> {
        let mut settings: FinetuneSettings = self.run.settings(&self.recipe)?;

        // The options outrank `--set`.
        let run = &mut settings.run;
        if let Some(data) = &self.data {
            run.data.clone_from(data);
        }
        if self.val.is_some() {
            run.val.clone_from(&self.val);
        } else if run.data == "builtin" && run.val.is_none() {
            run.val = Some("builtin:val".to_owned());
        }
        if self.init.is_some() {
            run.init.clone_from(&self.init);
        }
        settings.config.model.untrained |= self.untrained;
        settings.check()?;
        Ok(settings)
    }
}

pub fn run(args: &FinetuneArgs) -> Result<ExitCode> {
    let settings = args.settings()?;
    let request = args.run.request(&args.recipe);
    let resumed = request.out.clone().filter(|_| request.resume);
    let interrupted = watch_for_signals()?;
    let ending = train(&request, &interrupted, |place| {
        FinetuneJob::plan(settings, place, resumed.as_deref())
    })?;
    Ok(exit_code(ending))
}
