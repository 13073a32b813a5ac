//! `ibot runs`: the runs in a folder.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value};

use crate::runs::{ListedRun, list_runs, sort_runs, table};

const HELP: &str = "\
Examples:
  ibot runs
  ibot runs experiments/ --sort knn
  ibot runs --sort knn.top1_k10 --json | jq -r .run

Outputs  one line a run: its state, steps done, newest loss, the best figure of each evaluation (of metrics.jsonl and
         results.jsonl), and the settings in which the runs differ. `killed` is a run that no process trains although
         its status says that it runs. A damaged run is listed with what is wrong.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct RunsArgs {
    /// Folder with runs, at most three levels deep
    #[arg(default_value = "runs")]
    folder: PathBuf,
    /// Order, best first: step, loss, an evaluation such as knn, or a measure such as knn.top1_k20
    /// [default: by name]
    #[arg(long, value_name = "FIGURE")]
    sort: Option<String>,
    /// Print each run as one line of JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &RunsArgs) -> Result<()> {
    let mut list = list_runs(&args.folder)?;
    for problem in &list.unreadable {
        eprintln!("warning: {problem}");
    }
    if let Some(key) = &args.sort {
        sort_runs(&mut list.runs, key)?;
    }

    if args.json {
        // One line a run, as `results.jsonl` has one a result.
        for run in &list.runs {
            println!("{}", json_line(run)?);
        }
    } else {
        print!("{}", table(&list.runs));
    }
    Ok(())
}

/// The run as JSON, with its settings as an object.
fn json_line(run: &ListedRun) -> Result<String> {
    let mut line = serde_json::to_value(run)?;
    let settings: Map<String, Value> = run.settings.iter().cloned().collect();
    line["settings"] = Value::Object(settings);
    Ok(serde_json::to_string(&line)?)
}
