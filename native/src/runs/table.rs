//! The list for people: one line a run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::best::headline;
use super::listed_run::{ListedRun, ListedState};
use crate::eval::{Evaluation, shown};

/// A column for each figure, and what tells the runs apart at the end of the line.
pub fn table(runs: &[ListedRun]) -> String {
    let mut tasks: BTreeSet<&str> = BTreeSet::new();
    for run in runs {
        tasks.extend(run.best.keys().map(String::as_str));
    }

    let mut head: Vec<String> = ["run", "state", "steps", "loss"].map(str::to_owned).into();
    head.extend(tasks.iter().map(|task| (*task).to_owned()));
    head.push("settings".to_owned());
    let mut lines = vec![head];
    for run in runs {
        lines.push(line(run, &tasks));
    }
    aligned(&lines)
}

fn line(run: &ListedRun, tasks: &BTreeSet<&str>) -> Vec<String> {
    let mut cells = vec![
        run.run.display().to_string(),
        state(run.state).to_owned(),
        steps(run),
        run.loss.map_or(String::new(), |loss| format!("{loss:.3}")),
    ];
    for task in tasks {
        cells.push(best(run, task).unwrap_or_default());
    }
    cells.push(remarks(run));
    cells
}

fn state(state: ListedState) -> &'static str {
    match state {
        ListedState::Running => "running",
        ListedState::Killed => "killed",
        ListedState::Complete => "complete",
        ListedState::Interrupted => "interrupted",
        ListedState::Failed => "failed",
        ListedState::Unknown => "unknown",
    }
}

fn steps(run: &ListedRun) -> String {
    match run.total {
        Some(total) => format!("{}/{total}", run.step),
        None => run.step.to_string(),
    }
}

fn best(run: &ListedRun, task: &str) -> Option<String> {
    let measures = run.best.get(task)?;
    let measure = headline(task, measures)?;
    let evaluation = Evaluation::named(task);
    let known = evaluation.as_ref().map(Evaluation::task);
    Some(shown(known, measure, measures.get(measure)?))
}

/// Settings that differ, why the run ended, and what could not be read.
fn remarks(run: &ListedRun) -> String {
    let mut remarks = Vec::new();
    for (key, value) in &run.settings {
        let value = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        remarks.push(format!("{key}={value}"));
    }

    // A complete run has nothing to explain.
    if !run.message.is_empty() && run.state != ListedState::Complete {
        remarks.push(format!("({})", run.message));
    }
    for problem in &run.problems {
        remarks.push(format!("[damaged: {problem}]"));
    }
    remarks.join(" ")
}

/// Columns as wide as their widest cell, with two spaces between them.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let mut widths = vec![0; columns];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }

    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a text cannot fail.
            let _ = write!(row, "{cell:<width$}  ");
        }
        text += row.trim_end();
        text.push('\n');
    }
    text
}
