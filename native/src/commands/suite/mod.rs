//! `ibot eval suite`: all evaluations that the data allow, and a report.

mod pictures;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use self::pictures::pictures;
use super::eval_subject::{EvalSubject, HeadNeeds, MODEL, ResultInputs};
use crate::data::Dataset;
use crate::eval::{Yardstick, append_result, results_file};
use crate::features::{Extraction, FeatureArgs};
use crate::files::write_atomically;
use crate::model::ModelArgs;
use crate::report::document::{markdown, page};
use crate::suite::{
    CommandInputs, Outcome, SuiteConfig, SuiteEntry, SuiteOutcome, SuiteReport, SuiteSubject,
    document, evaluate, outcome_line, training_charts,
};

const HELP: &str = "\
Examples:
  ibot eval suite --data builtin --val builtin:val --model runs/builtin --beside pixels,untrained
  ibot eval suite --data photos/ --model vit_small.pth --out photos-report
  ibot eval suite --data photos/ --model runs/photos --config suite.toml

Runs one evaluation after another on the same features, with --beside also of plain pixels and of the network with random
weights. One that fails is named and loses no other. A suite.toml has entries [[eval]] with a kind (knn and so on) and
the settings of that kind, and size and resize for another view of the images.
Outputs  report.html (one file with tables, curves and pictures), report.md, and a line of results.jsonl for each
         evaluation, in the run's folder if --model is a run.";

/// The file of the report that holds charts and pictures.
const PAGE: &str = "report.html";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct SuiteArgs {
    /// Images to learn from or to compare with, with or without labels: what `ibot pretrain --data`
    /// takes
    #[arg(long)]
    data: String,
    /// Images to evaluate [default: a part of --data]
    #[arg(long)]
    val: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Evaluate these too and show their figures beside, with commas between
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    beside: Vec<Yardstick>,
    /// File with the evaluations to run [default: all]
    #[arg(long, value_name = "SUITE.toml")]
    config: Option<PathBuf>,
    /// Side of the central crop in pixels [default: that of pre-training]
    #[arg(long)]
    size: Option<usize>,
    #[command(flatten)]
    features: FeatureArgs,
    /// Folder of the report [default: report/ in the run's folder, or here]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// File that gets a line for each result [default: results.jsonl in the run's folder, or here]
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
}

struct SuiteInputs<'a> {
    args: &'a SuiteArgs,
    suite: SuiteConfig,
    data: Dataset,
    val: Option<Dataset>,
    extraction: Extraction,
    results: PathBuf,
}

pub fn run(args: &SuiteArgs) -> Result<()> {
    let inputs = SuiteInputs {
        args,
        suite: SuiteConfig::read(args.config.as_deref())?,
        data: Dataset::open(&args.data)?,
        val: args.val.as_deref().map(Dataset::open).transpose()?,
        extraction: args.features.open(true)?,
        results: results_file(args.results.as_deref(), args.model.path()),
    };
    println!("data    {}", inputs.data.description());
    if let Some(val) = &inputs.val {
        println!("val     {}", val.description());
    }

    let model = inputs.open(MODEL, &args.model)?;
    let mut subjects = vec![inputs.evaluate(MODEL, &model)?];
    for yardstick in &args.beside {
        let beside = match yardstick {
            Yardstick::Pixels => args.model.pixels(),
            Yardstick::Untrained => args.model.untrained(),
        };
        let name = yardstick.to_string();
        // Opened one after another, so that no third network is in memory.
        let opened = inputs.open(&name, &beside)?;
        subjects.push(inputs.evaluate(&name, &opened)?);
    }

    inputs.report(&model, &subjects)?;
    let outcomes = subjects.iter().flat_map(|subject| &subject.outcomes);
    if outcomes
        .into_iter()
        .all(|outcome| outcome.finding().is_none())
    {
        // Only if nothing worked: single failures are in the report.
        bail!("no evaluation gave a result; the report says why");
    }
    Ok(())
}

impl SuiteInputs<'_> {
    fn open(&self, name: &str, model: &ModelArgs) -> Result<EvalSubject> {
        let tasks = self.suite.entries.iter().map(|e| e.evaluation.task());
        let mut needs = HeadNeeds::default();
        for task in tasks {
            needs.add(task);
        }
        let subject = EvalSubject::open(name, model, self.args.size, needs, &self.extraction)?;
        println!("{}\n", subject.lines);
        Ok(subject)
    }

    /// Carries out the suite for the subject that is called `name`; each result is written at once.
    fn evaluate(&self, name: &str, opened: &EvalSubject) -> Result<SuiteOutcome> {
        let subject = SuiteSubject {
            name,
            has_network: opened.model.is_some(),
            head: opened.head.as_ref(),
            linear_heads: opened.linear_heads.as_ref(),
            view: opened.view,
            data: &self.data,
            val: self.val.as_ref(),
        };
        let store = |view| opened.store(view, &self.extraction);
        let outcome = evaluate(&self.suite, &subject, &store, &mut |entry, outcome| {
            println!("{}", outcome_line(&self.suite, entry, outcome));
            self.write_result(opened, entry, outcome)
        })?;
        println!();
        Ok(outcome)
    }

    fn write_result(
        &self,
        opened: &EvalSubject,
        entry: &SuiteEntry,
        outcome: &Outcome,
    ) -> Result<()> {
        let Some(finding) = outcome.finding() else {
            return Ok(());
        };
        let inputs = ResultInputs {
            evaluation: &entry.evaluation,
            subject: opened,
            data: &self.args.data,
            val: self.args.val.as_deref(),
            view: finding.view,
            extraction: &self.extraction,
        };
        let (encoded, seconds) = (finding.encoded, finding.seconds);
        let result = inputs.result(&finding.measures, &finding.images, encoded, seconds)?;
        append_result(&self.results, &result)
    }

    fn report(&self, model: &EvalSubject, subjects: &[SuiteOutcome]) -> Result<()> {
        let mut problems = Vec::new();
        let training = match training_charts(self.args.model.path()) {
            Ok(charts) => charts.unwrap_or_default(),
            Err(error) => {
                problems.push(format!("no training curves: {error:#}"));
                Vec::new()
            }
        };
        let drawn = match &model.model {
            Some(network) => {
                let data = self.val.as_ref().unwrap_or(&self.data);
                pictures(network, self.extraction.device(), data, &mut problems)
            }
            None => Vec::new(),
        };

        let report = document(&SuiteReport {
            suite: &self.suite,
            subjects,
            inputs: &CommandInputs {
                model: self.args.model.path().display().to_string(),
                data: self.args.data.clone(),
                val: self.args.val.clone(),
                size: self.args.size,
            },
            facts: &self.facts(model),
            classes: self.data.classes().len(),
            training: &training,
            pictures: &drawn,
            problems: &problems,
        });

        let out = self.out();
        fs::create_dir_all(&out)
            .with_context(|| format!("cannot make the folder {}", out.display()))?;
        // The page is whole in one file; the text beside it names it for pictures.
        write_atomically(&out.join(PAGE), page(&report).as_bytes())?;
        write_atomically(&out.join("report.md"), markdown(&report, PAGE).as_bytes())?;
        println!("results {}", self.results.display());
        println!("report  {}", out.join(PAGE).display());
        Ok(())
    }

    fn facts(&self, model: &EvalSubject) -> Vec<(String, String)> {
        let size = model.view.size;
        let mut facts = vec![("model", self.args.model.path().display().to_string())];
        if let Some(sha256) = &model.weights_sha256 {
            facts.push(("weights, SHA-256", sha256.clone()));
        }
        facts.push(("data", self.data.description()));
        if let Some(val) = &self.val {
            facts.push(("val", val.description()));
        }
        facts.push(("images seen at", format!("{size} x {size} pixels")));
        facts.push(("device", self.extraction.description()));
        facts.push((
            "program",
            concat!("ibot ", env!("CARGO_PKG_VERSION")).to_owned(),
        ));

        let owned = facts
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        owned.collect()
    }

    fn out(&self) -> PathBuf {
        let model = self.args.model.path();
        match &self.args.out {
            Some(out) => out.clone(),
            None if model.is_dir() => model.join("report"),
            None => Path::new("report").to_owned(),
        }
    }
}
