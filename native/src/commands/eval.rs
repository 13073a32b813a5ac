//! `ibot eval`: every [`Evaluation`] is a subcommand with the same inputs and the same form of
//! result.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::eval_subject::{EvalSubject, HeadNeeds, MODEL, PatchView, ResultInputs};
use crate::data::Dataset;
use crate::eval::{
    EvalResult, EvalTask, Evaluation, Subject, Yardstick, append_result, measure_title,
    results_file, shown,
};
use crate::features::{Extraction, FeatureArgs};
use crate::files::write_atomically;
use crate::model::ModelArgs;

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
pub fn run(command: &EvalCommand) -> Result<()> {
    let args = &command.args;
    let task = command.evaluation.task();
    let data = task.open(&args.data)?;
    let val = args.val.as_deref().map(|val| task.open(val)).transpose()?;
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
    let Evaluated {
        result,
        table,
        patches,
    } = inputs.evaluate(&args.model, MODEL, None)?;
    if let Some(out) = &args.out {
        let json = serde_json::to_string(&result)?;
        write_atomically(out, format!("{json}\n").as_bytes())?;
    }

    let mut results = vec![(MODEL.to_owned(), result)];
    for yardstick in &args.beside {
        let model = match yardstick {
            Yardstick::Pixels => args.model.pixels(),
            Yardstick::Untrained => args.model.untrained(),
        };
        // Cut as the model cut them: what stands beside must differ in the features alone.
        match inputs.evaluate(&model, &yardstick.to_string(), Some(patches)) {
            Ok(found) => results.push((yardstick.to_string(), found.result)),
            // The result of the model is already printed or written, and stands.
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

struct Evaluated {
    result: EvalResult,
    /// What was found, for people.
    table: String,
    patches: PatchView,
}

impl Inputs<'_> {
    /// Evaluates `model`, which is called `name`, and adds a line to the file of results. Plain
    /// pixels that stand `beside` a network are cut as it cuts images, if patches matter.
    fn evaluate(
        &self,
        model: &ModelArgs,
        name: &str,
        beside: Option<PatchView>,
    ) -> Result<Evaluated> {
        let args = &self.command.args;
        // What stands beside the model must not overwrite the files of its evaluation.
        let evaluation = match name {
            MODEL => self.command.evaluation.clone(),
            _ => self.command.evaluation.without_files(),
        };
        let task = evaluation.task();
        let mut subject =
            EvalSubject::open(name, model, args.size, HeadNeeds::of(task), self.extraction)?;
        if let (None, Some(patches), true) = (&subject.model, beside, task.takes_pixel_patches()) {
            subject.cut_as(patches, self.extraction);
        }
        if !args.json {
            println!("{}", subject.lines);
        }

        // Opening the model is no part of the time.
        let begin = Instant::now();
        let mut features = subject.store(subject.view, self.extraction)?;
        if subject.model.is_some() {
            features.plan(&task.readouts());
        }
        let outcome = task.run(&Subject {
            features: &features,
            head: subject.head.as_ref(),
            linear_heads: subject.linear_heads.as_ref(),
            data: self.data,
            val: self.val,
        })?;
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
            subject: &subject,
            data: &args.data,
            val: args.val.as_deref(),
            view: subject.view,
            extraction: self.extraction,
        };
        let encoded = features.encoded();
        let result = inputs.result(&outcome.measures, &outcome.images, encoded, seconds)?;
        let results = results_file(args.results.as_deref(), args.model.path());
        append_result(&results, &result)?;
        Ok(Evaluated {
            result,
            table: outcome.table,
            patches: subject.patch_view(),
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
            // A measure may be of networks only.
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
