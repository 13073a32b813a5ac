//! The best figures of a run.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::eval::{Evaluation, Measures};
use crate::run::record::Record;

/// The best value of each measure, by the name of its evaluation.
pub type BestFigures = BTreeMap<String, Measures>;

#[derive(Deserialize)]
struct ResultLine {
    task: String,
    measures: Measures,
    /// Missing for pixels.
    weights_sha256: Option<String>,
    #[serde(default)]
    untrained: bool,
}

/// Takes in the evaluations between the epochs of a run, without that of the network that it
/// started from.
pub fn add_records(best: &mut BestFigures, records: &[Record]) {
    for record in records {
        if let Record::Eval {
            name,
            // Step 0 is the network that the run started from.
            step: 1..,
            measures,
            ..
        } = record
        {
            add(best, name, measures);
        }
    }
}

/// Takes in the lines of a `results.jsonl` that are of the run's own network, and returns how many
/// could not be read. The last line may be cut short, as it may just be written.
pub fn add_results(best: &mut BestFigures, text: &str) -> usize {
    let mut damaged = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        match serde_json::from_str::<ResultLine>(line) {
            // Those beside the run's own network are no figures of the run.
            Ok(result) if result.untrained || result.weights_sha256.is_none() => {}
            Ok(result) => add(best, &result.task, &result.measures),
            Err(_) if is_last || line.trim().is_empty() => {}
            Err(_) => damaged += 1,
        }
    }
    damaged
}

fn add(best: &mut BestFigures, task: &str, measures: &Measures) {
    let own = best.entry(task.to_owned()).or_default();
    for (name, value) in measures.iter() {
        own.raise(name, value);
    }
}

/// The measure that `task` is quoted by.
pub fn headline<'a>(task: &str, measures: &'a Measures) -> Option<&'a str> {
    match Evaluation::named(task) {
        Some(evaluation) => evaluation.task().headline(measures),
        // A later version wrote it; its first measure stands for it.
        None => measures.iter().next().map(|(name, _)| name),
    }
}
