//! What a run records: JSON lines for programs, TensorBoard events and curves for people.

use std::fs::OpenOptions;

use anyhow::{Context as _, Result};

use super::curves::{ChartSpec, charts};
use super::event::Event;
use super::record::{Record, read_records};
use super::run_dir::RunDir;
use crate::eval::{Measures, ScheduledEval};
use crate::files::{Growing, WriteError, replace, write_atomically};
use crate::report::curves::curves_svg;
use crate::report::tensorboard::{EventWriter, prune};

pub struct Metrics {
    lines: Growing,
    tensorboard: EventWriter,
    records: Vec<Record>,
}

impl Metrics {
    /// Opens the records of a run that has done `step` steps.
    pub fn open(dir: &RunDir, step: usize) -> Result<Self> {
        let mut records = Vec::new();
        if step > 0 {
            records = read_records(dir);
            // Later steps are lost, and are taken again.
            records.retain(|record| record.step() <= step);
        }

        let mut text = String::new();
        for record in &records {
            text += &serde_json::to_string(record)?;
            text.push('\n');
        }
        let path = dir.metrics();
        // As a whole, because a crash may have cut the last line short.
        write_atomically(&path, text.as_bytes())?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .with_context(|| format!("metrics {}", path.display()))?;

        let last = (step > 0).then_some(step as u64);
        let tensorboard = prune(&dir.tensorboard(), last)
            .and_then(|()| EventWriter::create(&dir.tensorboard()))
            .context("TensorBoard events")?;

        Ok(Self {
            lines: Growing::new(path, file),
            tensorboard,
            records,
        })
    }

    /// Writes records; what a full disk refuses, the next one or [`sync`](Self::sync) writes.
    pub fn on_event(&mut self, event: &Event) {
        let Event::Record(record) = event else {
            return;
        };
        // A record is always JSON.
        if let Ok(line) = serde_json::to_string(record) {
            self.lines.add(format!("{line}\n").as_bytes());
        }

        let scalars = record.scalars();
        let scalars: Vec<(&str, f64)> = scalars
            .iter()
            .map(|(tag, value)| (tag.as_str(), *value))
            .collect();
        self.tensorboard.scalars(record.step() as u64, &scalars);

        self.records.push(record.clone());
        // Training does not wait for the disk here, only where it saves.
        let _ = self.lines.flush().and_then(|()| self.tensorboard.flush());
    }

    /// Brings what was recorded to the disk, before a checkpoint of the same steps.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.tensorboard.flush()?;
        self.lines.sync()
    }

    pub fn skipped(&self) -> usize {
        self.records
            .iter()
            .filter(|record| matches!(record, Record::Skipped { .. }))
            .count()
    }

    /// The measures of `evaluation` before the first step, if it was carried out then.
    pub fn first_eval(&self, evaluation: &str) -> Option<&Measures> {
        self.records.iter().find_map(|record| match record {
            Record::Eval {
                name,
                step: 0,
                measures,
                ..
            } if name == evaluation => Some(measures),
            _ => None,
        })
    }

    /// The values of a measure of `evaluation` with the steps that were done.
    pub fn evaluated(&self, evaluation: &str, measure: &str) -> Vec<(usize, f64)> {
        let mut values = Vec::new();
        for record in &self.records {
            if let Record::Eval {
                name,
                step,
                measures,
                ..
            } = record
                && name == evaluation
            {
                let value = measures.get(measure);
                values.extend(value.map(|value| (*step, value)));
            }
        }
        values
    }

    /// Draws the curves of everything recorded so far.
    pub fn draw(
        &self,
        dir: &RunDir,
        evals: &[ScheduledEval],
        specs: &[ChartSpec],
    ) -> Result<(), WriteError> {
        let title = dir.path().display().to_string();
        let charts = charts(&self.records, evals, specs);
        replace(&dir.curves(), curves_svg(&title, &charts).as_bytes())
    }
}
