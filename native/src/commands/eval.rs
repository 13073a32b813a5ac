//! `ibot eval`: every [`Evaluation`] is a subcommand with the same inputs and the same form of
//! result.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use serde_json::{Map, Value, json};

use crate::data::Dataset;
use crate::device::{self, DeviceChoice};
use crate::eval::{EvalResult, Evaluation, Measures, Subject, sha256};
use crate::features::{Encoder, EvalView, FeatureStore};
use crate::files::write_atomically;
use crate::model::{LoadedBackbone, ModelArgs};

/// View of an image for `--model pixels`.
pub const PIXELS: EvalView = EvalView {
    size: 32,
    resize_ratio: 1.0,
};

/// An evaluation with its inputs.
#[derive(Debug)]
pub struct EvalCommand {
    pub evaluation: Evaluation,
    pub args: EvalArgs,
}

/// Inputs of every evaluation.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Images with labels to compare with: what `ibot pretrain --data` takes
    #[arg(long)]
    data: String,
    /// Images with labels to evaluate [default: a part of --data]
    #[arg(long)]
    val: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Side of the central crop in pixels [default: that of pre-training]
    #[arg(long)]
    size: Option<usize>,
    /// Where to compute: auto, cpu, gpu, gpu:N, software or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print the result as one line of JSON
    #[arg(long)]
    json: bool,
    /// Write the result to a JSON file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Every subcommand is a variant of [`Evaluation`], to which the shared inputs are added here. clap
/// has no derive for that.
impl Subcommand for EvalCommand {
    fn augment_subcommands(command: Command) -> Command {
        Evaluation::augment_subcommands(command).mut_subcommands(with_inputs)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Evaluation::has_subcommand(name)
    }
}

fn with_inputs(evaluation: Command) -> Command {
    // The shared inputs would replace what the subcommand says of itself.
    let about = evaluation.get_about().cloned().unwrap_or_default();
    EvalArgs::augment_args(evaluation).about(about)
}

impl FromArgMatches for EvalCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let evaluation = Evaluation::from_arg_matches(matches)?;
        let own = matches.subcommand().map_or(matches, |(_, own)| own);
        let args = EvalArgs::from_arg_matches(own)?;
        Ok(Self { evaluation, args })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Runs an evaluation, prints what it found and writes it to `--out`.
///
/// # Errors
/// If the data or the model cannot be read, the data do not suit the evaluation, or the result
/// cannot be written.
pub fn run(command: &EvalCommand) -> Result<()> {
    let args = &command.args;
    let data = Dataset::open(&args.data)?;
    let val = args.val.as_deref().map(Dataset::open).transpose()?;
    let selected = device::select(args.device)?;
    let model = if args.model.is_pixels() {
        None
    } else {
        Some(args.model.open(&selected.device)?)
    };

    let mut view = match &model {
        Some((model, _)) => usual_view(model),
        None => PIXELS,
    };
    view.size = args.size.unwrap_or(view.size);
    if !args.json {
        println!("data    {}", data.description());
        if let Some(val) = &val {
            println!("val     {}", val.description());
        }
        let line = model.as_ref().map(|(_, line)| line.as_str());
        println!("{}", line.unwrap_or("model   none: plain pixels"));
        let size = view.size;
        println!("        at {size} x {size} on {}\n", selected.description);
    }

    let begin = Instant::now();
    let encoder = match &model {
        Some((model, _)) => Encoder::Network(&model.backbone),
        None => Encoder::Pixels,
    };
    let mut features = FeatureStore::new(encoder, view, &[selected.device])?;
    if !args.json {
        features = features.with_progress();
    }
    let subject = Subject {
        features: &features,
        data: &data,
        val: val.as_ref(),
    };
    let outcome = command.evaluation.task().run(&subject)?;
    let seconds = begin.elapsed().as_secs_f64();

    if !args.json {
        let counts: Vec<String> = outcome
            .images
            .iter()
            .map(|(role, count)| format!("{role} {count} images"))
            .collect();
        println!("{}\n\n{}", counts.join(", "), outcome.table);
    }
    if args.json || args.out.is_some() {
        let inputs = ResultInputs {
            evaluation: &command.evaluation,
            model: &args.model,
            weights_sha256: args.model.file().as_deref().map(sha256).transpose()?,
            data: &args.data,
            val: args.val.as_deref(),
            view,
            device: &selected.description,
        };
        let result = inputs.result(&outcome.measures, &outcome.images, seconds)?;
        let json = serde_json::to_string(&result)?;
        if args.json {
            println!("{json}");
        }
        if let Some(out) = &args.out {
            write_atomically(out, format!("{json}\n").as_bytes())?;
        }
    }
    Ok(())
}

/// How images are seen by a network unless something else is asked for.
pub fn usual_view(model: &LoadedBackbone) -> EvalView {
    EvalView {
        size: model.config.image_size(),
        resize_ratio: model.eval_resize,
    }
}

/// What a result says of its evaluation.
pub struct ResultInputs<'a> {
    pub evaluation: &'a Evaluation,
    pub model: &'a ModelArgs,
    /// SHA-256 of the file of weights; `None` for pixels.
    pub weights_sha256: Option<String>,
    pub data: &'a str,
    pub val: Option<&'a str>,
    pub view: EvalView,
    pub device: &'a str,
}

impl ResultInputs<'_> {
    /// The result for `results.jsonl`, with the numbers of images by their role.
    ///
    /// # Errors
    /// If the settings have no JSON form.
    pub fn result(
        &self,
        measures: &Measures,
        images: &[(&'static str, usize)],
        seconds: f64,
    ) -> Result<EvalResult> {
        let task = self.evaluation.task();
        let mut settings = serde_json::to_value(self.evaluation).context("settings as JSON")?;
        settings["size"] = json!(self.view.size);
        settings["resize"] = json!(self.view.resize_ratio);
        let images: Map<String, Value> = images
            .iter()
            .map(|(role, count)| ((*role).to_owned(), json!(count)))
            .collect();

        Ok(EvalResult {
            task: task.name(),
            measures: measures.clone(),
            paper: task.paper(),
            model: self.model.path().display().to_string(),
            weights_sha256: self.weights_sha256.clone(),
            untrained: self.model.is_untrained(),
            data: self.data.to_owned(),
            val: self.val.map(str::to_owned),
            images: Value::Object(images),
            settings,
            seconds,
            device: self.device.to_owned(),
        })
    }
}
