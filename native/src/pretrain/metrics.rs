//! What a run records: JSON lines for programs, TensorBoard events and curves for people.

use std::fs::{self, OpenOptions};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::means::Means;
use super::run_dir::RunDir;
use crate::eval::{Measures, ScheduledEval, Task};
use crate::files::{Growing, WriteError, replace, write_atomically};
use crate::report::curves::{Chart, Curve, curves_svg};
use crate::report::tensorboard::{EventWriter, prune};

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// The mean over a few steps.
    Step(Means),
    /// The mean over an epoch, or what of it was not done before a resume.
    Epoch(Means),
    /// A step whose losses or gradients were not finite and which changed nothing.
    Skipped {
        /// Steps done, this one included.
        step: usize,
        /// Epoch, counted from 0.
        epoch: usize,
        /// What was not finite: `cls loss`, `patch loss`, `gradients`.
        parts: Vec<String>,
        /// Number of parameters whose gradient was not finite.
        tensors_at_fault: usize,
        /// The first of them.
        tensors: Vec<String>,
        /// The loss scale that was too large, if that was all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        loss_scale: Option<f64>,
    },
    /// An evaluation; before the first step it is that of the untrained network, or of `run.init`.
    Eval {
        /// Such as `knn`.
        name: String,
        /// Optimisation steps done.
        step: usize,
        /// Epochs done.
        epoch: usize,
        measures: Measures,
    },
    /// What runs wrote before there was `Eval`: one number of neighbours of an evaluation.
    #[serde(skip_serializing)]
    Knn {
        step: usize,
        epoch: usize,
        k: usize,
        top1: f64,
        top5: f64,
    },
}

/// The records of a run.
pub struct Metrics {
    lines: Growing,
    events: EventWriter,
    records: Vec<Record>,
    prototypes: usize,
}

impl Metrics {
    /// Opens the records of a run that has done `step` steps; what a lost part of it recorded after
    /// that is dropped.
    ///
    /// # Errors
    /// If the files cannot be read or written.
    pub fn open(dir: &RunDir, step: usize, prototypes: usize) -> Result<Self> {
        let path = dir.metrics();
        let place = || format!("metrics {}", path.display());
        let mut records = if step > 0 {
            read_records(dir)
        } else {
            Vec::new()
        };
        records.retain(|record| record_step(record) <= step);
        let mut text = String::new();
        for record in &records {
            text += &serde_json::to_string(record)?;
            text.push('\n');
        }
        write_atomically(&path, text.as_bytes())?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .with_context(place)?;
        let events = prune(&dir.tensorboard(), (step > 0).then_some(step as u64))
            .and_then(|()| EventWriter::create(&dir.tensorboard()))
            .context("TensorBoard events")?;
        Ok(Self {
            lines: Growing::new(path, file),
            events,
            records,
            prototypes,
        })
    }

    /// Adds a record everywhere. What a full disk refuses is tried again with the next one, and by
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    /// None in practice: a record is always JSON.
    pub fn record(&mut self, record: Record) -> Result<()> {
        self.lines
            .add(format!("{}\n", serde_json::to_string(&record)?).as_bytes());
        let step = record_step(&record) as u64;
        let tagged = match &record {
            Record::Step(means) => scalars("train", means),
            Record::Epoch(means) => scalars("epoch", means),
            Record::Eval { name, measures, .. } => measures
                .iter()
                .map(|(measure, value)| (format!("{name}/{measure}"), value))
                .collect(),
            Record::Skipped { .. } | Record::Knn { .. } => Vec::new(),
        };
        let tagged: Vec<(&str, f64)> = tagged
            .iter()
            .map(|(tag, value)| (tag.as_str(), *value))
            .collect();
        self.events.scalars(step, &tagged);
        self.records.push(record);
        // A run waits for its disk where it saves.
        let _ = self.lines.flush().and_then(|()| self.events.flush());
        Ok(())
    }

    /// Brings what was recorded to the disk, where a checkpoint of the same steps is about to be.
    ///
    /// # Errors
    /// If the system refuses; nothing is lost, and the next call tries again.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        self.events.flush()?;
        self.lines.sync()
    }

    /// Steps skipped so far.
    pub fn skipped(&self) -> usize {
        self.records
            .iter()
            .filter(|record| matches!(record, Record::Skipped { .. }))
            .count()
    }

    /// What the evaluation `evaluation` measured before the first step, if it was carried out then.
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

    /// Draws the curves of everything recorded so far.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn draw(&self, dir: &RunDir, title: &str, evals: &[ScheduledEval]) -> Result<()> {
        let charts = self.charts(evals);
        replace(&dir.curves(), curves_svg(title, &charts).as_bytes())?;
        Ok(())
    }

    fn charts(&self, evals: &[ScheduledEval]) -> Vec<Chart> {
        let line = |name: &str, value: fn(&Means) -> Option<f64>| {
            let points = self.records.iter().filter_map(|record| match record {
                Record::Step(means) => Some((means.step as f64, value(means).unwrap_or(f64::NAN))),
                _ => None,
            });
            Curve {
                name: name.into(),
                points: points.collect(),
            }
        };
        let ln_k = (self.prototypes as f64).ln();
        let chart = |title: &str, unit: Option<&str>, curves: Vec<Curve>| Chart {
            title: title.into(),
            unit: unit.map(Into::into),
            x_label: "step".into(),
            curves,
            references: Vec::new(),
        };
        let mut charts = self.eval_charts(evals);
        charts.extend([
            Chart {
                references: vec![("ln K".into(), ln_k)],
                ..chart(
                    "Loss",
                    Some("nats"),
                    vec![line("CLS", |m| m.cls), line("patch", |m| m.patch)],
                )
            },
            Chart {
                references: vec![("ln K".into(), ln_k)],
                ..chart(
                    "Teacher entropy",
                    Some("nats"),
                    vec![line("CLS targets", |m| m.teacher_entropy)],
                )
            },
            chart("Learning rate", None, vec![line("lr", |m| Some(m.lr))]),
            chart(
                "Agreement of views",
                None,
                vec![line("same prototype", |m| Some(m.agreement))],
            ),
            chart(
                "Gradient norm",
                None,
                vec![line("before clipping", |m| m.gradient_norm)],
            ),
            chart(
                "Speed",
                Some("img/s"),
                vec![line("images", |m| Some(m.images_per_second))],
            ),
        ]);
        charts
    }

    /// A chart for each evaluation that was carried out.
    fn eval_charts(&self, evals: &[ScheduledEval]) -> Vec<Chart> {
        let mut charts: Vec<(&str, Chart)> = Vec::new();
        for record in &self.records {
            let Record::Eval {
                name,
                step,
                epoch,
                measures,
            } = record
            else {
                continue;
            };
            let task = evals
                .iter()
                .map(|eval| eval.evaluation.task())
                .find(|task| task.name() == name);

            if !charts.iter().any(|(of, _)| of == name) {
                charts.push((name, eval_chart(name, task)));
            }
            let Some((_, chart)) = charts.iter_mut().find(|(of, _)| of == name) else {
                continue;
            };
            for (measure, value) in measures.iter() {
                // A resumed run may no longer have the evaluation; its measures are drawn as they
                // are named then.
                let label = match task {
                    Some(task) => task.curve(measure),
                    None => Some(measure.to_owned()),
                };
                let Some(label) = label else { continue };
                if *step == 0 && chart.references.is_empty() {
                    let level = ("before training".to_owned(), 100.0 * value);
                    chart.references.push(level);
                }
                chart.add_point(label, (*epoch as f64, 100.0 * value));
            }
        }
        charts.into_iter().map(|(_, chart)| chart).collect()
    }
}

fn eval_chart(name: &str, task: Option<&dyn Task>) -> Chart {
    let title = task.map_or(name.to_owned(), |task| {
        format!("{} {}", task.title(), task.quantity())
    });
    Chart {
        title,
        unit: Some("%".into()),
        x_label: "epoch".into(),
        ..Chart::default()
    }
}

fn record_step(record: &Record) -> usize {
    match record {
        Record::Step(means) | Record::Epoch(means) => means.step,
        Record::Eval { step, .. } | Record::Knn { step, .. } | Record::Skipped { step, .. } => {
            *step
        }
    }
}

/// All records in a run's folder. A crash can cut the last line short, or leave zeros; it is of a
/// lost step then.
fn read_records(dir: &RunDir) -> Vec<Record> {
    let bytes = fs::read(dir.metrics()).unwrap_or_default();
    let mut records = Vec::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        if let Ok(record) = serde_json::from_str(line) {
            push_record(&mut records, record);
        }
    }
    records
}

/// Adds a record; old ones of one k-NN evaluation become one of today's.
fn push_record(records: &mut Vec<Record>, record: Record) {
    let Record::Knn {
        step: at,
        epoch,
        k,
        top1,
        top5,
    } = record
    else {
        records.push(record);
        return;
    };
    if !matches!(records.last(), Some(Record::Eval { step, .. }) if *step == at) {
        records.push(Record::Eval {
            name: "knn".to_owned(),
            step: at,
            epoch,
            measures: Measures::default(),
        });
    }
    if let Some(Record::Eval { measures, .. }) = records.last_mut() {
        measures.push(format!("top1_k{k}"), top1);
        measures.push(format!("top5_k{k}"), top5);
    }
}

/// The last step that a run in `dir` recorded, saved or not.
pub fn recorded_steps(dir: &RunDir) -> usize {
    read_records(dir)
        .iter()
        .map(record_step)
        .max()
        .unwrap_or_default()
}

/// Tags and values of `means` for TensorBoard.
fn scalars(group: &str, means: &Means) -> Vec<(String, f64)> {
    let values = [
        ("loss", means.loss),
        ("cls", means.cls),
        ("patch", means.patch),
        ("gradient_norm", means.gradient_norm),
        ("teacher_entropy", means.teacher_entropy),
        ("lr", Some(means.lr)),
        ("weight_decay", Some(means.weight_decay)),
        ("momentum", Some(means.momentum)),
        ("teacher_temp", Some(means.teacher_temp)),
        ("teacher_patch_temp", Some(means.teacher_patch_temp)),
        ("agreement", Some(means.agreement)),
        ("prototype_usage", Some(means.prototype_usage)),
        ("images_per_second", Some(means.images_per_second)),
        ("waiting", Some(means.waiting)),
    ];
    let loss_scale = means.loss_scale.map(|scale| ("loss_scale", Some(scale)));
    values
        .into_iter()
        .chain(loss_scale)
        .map(|(tag, value)| (format!("{group}/{tag}"), value.unwrap_or(f64::NAN)))
        .collect()
}
