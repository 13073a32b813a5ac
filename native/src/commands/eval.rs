//! `ibot eval`: every [`Evaluation`] is a subcommand with the same inputs and the same form of
//! result.

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use serde_json::{Map, Value, json};

use crate::data::Dataset;
use crate::eval::{
    EvalResult, EvalTask, Evaluation, Measures, Subject, Yardstick, append_result, measure_title,
    results_file, sha256, shown,
};
use crate::features::{EvalView, Extraction, FeatureArgs};
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
    #[command(flatten)]
    features: FeatureArgs,
    /// Evaluate these too and show their figures beside, with commas between
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    beside: Vec<Yardstick>,
    /// Print each result as one line of JSON
    #[arg(long)]
    json: bool,
    /// Write the result to a JSON file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File to which each result is added as a line of JSON [default: results.jsonl in the folder of
    /// the run, or in the working directory if --model is no run]
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
}

// Every subcommand is a variant of [`Evaluation`], to which the shared inputs are added here. clap
// has no derive for that.
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

/// Runs an evaluation, prints what it found, and writes it to `--results` and `--out`.
///
/// # Errors
/// If the data or the model cannot be read, the data do not suit the evaluation, or the result
/// cannot be written. What is shown beside the model loses nothing of it by failing.
pub fn run(command: &EvalCommand) -> Result<()> {
    let args = &command.args;
    let data = Dataset::open(&args.data)?;
    let val = args.val.as_deref().map(Dataset::open).transpose()?;
    let extraction = args.features.open(!args.json)?;
    if !args.json {
        println!("data    {}", data.description());
        if let Some(val) = &val {
            println!("val     {}", val.description());
        }
    }

    let inputs = Inputs {
        command,
        data: &data,
        val: val.as_ref(),
        extraction: &extraction,
    };
    let (result, table) = inputs.evaluate(&args.model, "model")?;
    if let Some(out) = &args.out {
        let json = serde_json::to_string(&result)?;
        write_atomically(out, format!("{json}\n").as_bytes())?;
    }

    let mut results = vec![("model".to_owned(), result)];
    for yardstick in &args.beside {
        let model = match yardstick {
            Yardstick::Pixels => args.model.pixels(),
            Yardstick::Untrained => args.model.untrained(),
        };
        match inputs.evaluate(&model, &yardstick.to_string()) {
            Ok((result, _)) => results.push((yardstick.to_string(), result)),
            Err(error) => eprintln!("warning: {yardstick}: {error:#} (left out)"),
        }
    }

    if args.json {
        for (_, result) in &results {
            println!("{}", serde_json::to_string(result)?);
        }
    } else {
        println!("\n{table}");
        if results.len() > 1 {
            let task = command.evaluation.task();
            println!("\n{}", side_by_side(task, &results));
        }
    }
    Ok(())
}

/// What the model and everything beside it share.
struct Inputs<'a> {
    command: &'a EvalCommand,
    data: &'a Dataset,
    val: Option<&'a Dataset>,
    extraction: &'a Extraction,
}

impl Inputs<'_> {
    /// Evaluates `model`, which is called `name`, and adds a line to the file of results. The
    /// table of what was found is for people.
    fn evaluate(&self, model: &ModelArgs, name: &str) -> Result<(EvalResult, String)> {
        let args = &self.command.args;
        let loaded = match model.is_pixels() {
            true => None,
            false => Some(model.open(self.extraction.device())?),
        };
        let mut view = match &loaded {
            Some((model, _)) => usual_view(model),
            None => PIXELS,
        };
        // At the size of a network, the pixels beside it are too many.
        if name == "model" || loaded.is_some() {
            view.size = args.size.unwrap_or(view.size);
        }
        if !args.json {
            let line = loaded.as_ref().map(|(_, line)| line.as_str());
            println!("{}", line.unwrap_or("model   none: plain pixels"));
            let (size, device) = (view.size, self.extraction.description());
            println!("        at {size} x {size} on {device}");
        }

        let evaluation = match name {
            "model" => self.command.evaluation.clone(),
            _ => self.command.evaluation.without_files(),
        };
        let task = evaluation.task();
        let backbone = loaded.as_ref().map(|(model, _)| model);
        let head = match backbone {
            Some(_) if task.needs_head() => model.open_head(self.extraction.device())?,
            _ => None,
        };
        let begin = Instant::now();
        let mut features = self.extraction.store(backbone, view)?;
        if !model.is_pixels() {
            features.plan(&task.readouts());
        }
        let subject = Subject {
            features: &features,
            head: head.as_ref(),
            data: self.data,
            val: self.val,
        };
        let outcome = task.run(&subject)?;
        let seconds = begin.elapsed().as_secs_f64();

        if !args.json {
            let mut counts = Vec::new();
            for (role, count) in &outcome.images {
                counts.push(format!("{role} {count} images"));
            }
            let (counts, encoded) = (counts.join(", "), features.encoded());
            println!("{name:7} {counts}; {encoded} through the network, {seconds:.1} s");
        }
        let inputs = ResultInputs {
            evaluation: &evaluation,
            model,
            weights_sha256: model.file().as_deref().map(sha256).transpose()?,
            data: &args.data,
            val: args.val.as_deref(),
            view,
            extraction: self.extraction,
        };
        let encoded = features.encoded();
        let result = inputs.result(&outcome.measures, &outcome.images, encoded, seconds)?;
        let results = results_file(args.results.as_deref(), args.model.path());
        append_result(&results, &result)?;
        Ok((result, outcome.table))
    }
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
    pub extraction: &'a Extraction,
}

impl ResultInputs<'_> {
    /// The result for `results.jsonl`, with the numbers of images by their role, and the number of
    /// those that went through the network.
    ///
    /// # Errors
    /// If the settings have no JSON form.
    pub fn result(
        &self,
        measures: &Measures,
        images: &[(&'static str, usize)],
        encoded: usize,
        seconds: f64,
    ) -> Result<EvalResult> {
        let task = self.evaluation.task();
        let mut settings = serde_json::to_value(self.evaluation).context("settings as JSON")?;
        settings["size"] = json!(self.view.size);
        settings["resize"] = json!(self.view.resize_ratio);
        settings["precision"] = json!(self.extraction.precision);
        if settings.get("seed").is_none() {
            // Random weights and choices without a seed of their own come from this one.
            settings["seed"] = json!(0);
        }

        let mut roles = Map::new();
        for (role, count) in images {
            roles.insert((*role).to_owned(), json!(count));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(EvalResult {
            task: task.name(),
            time: now.map_or(0, |now| now.as_secs()),
            measures: measures.clone(),
            paper: task.paper(),
            model: self.model.path().display().to_string(),
            weights_sha256: self.weights_sha256.clone(),
            untrained: self.model.is_untrained(),
            data: self.data.to_owned(),
            val: self.val.map(str::to_owned),
            images: Value::Object(roles),
            settings,
            encoded,
            seconds,
            device: self.extraction.description(),
        })
    }
}

/// A row for each measure of the first result, a column for each result.
fn side_by_side(task: &dyn EvalTask, results: &[(String, EvalResult)]) -> String {
    let mut rows = vec![vec![String::new()]];
    for (name, _) in results {
        rows[0].push(name.clone());
    }
    for (measure, _) in results[0].1.measures.iter() {
        let mut row = vec![measure_title(task, measure)];
        for (_, result) in results {
            let value = result.measures.get(measure);
            row.push(value.map_or("-".to_owned(), |value| shown(Some(task), measure, value)));
        }
        rows.push(row);
    }

    let mut widths = vec![0; results.len() + 1];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = String::new();
    for row in &rows {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line += &format!("  {cell:>width$}");
        }
        table += line.trim_end();
        table.push('\n');
    }
    table
}
