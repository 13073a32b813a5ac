//! What a run records: JSON lines for programs, TensorBoard events and curves for people.

use std::fs::{self, OpenOptions};

use anyhow::{Context as _, Result};
use ibot_core::knn::KnnAccuracy;
use serde::{Deserialize, Serialize};

use super::means::Means;
use super::run_dir::RunDir;
use crate::files::{Growing, WriteError, replace, write_atomically};
use crate::report::curves::{Line, Panel, curves_svg};
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
    Knn {
        /// Optimisation steps done.
        step: usize,
        /// Epochs done.
        epoch: usize,
        /// Neighbours that voted.
        k: usize,
        /// Share of queries whose class won.
        top1: f64,
        /// Share of queries whose class was among the first five.
        top5: f64,
        /// Images that voted.
        bank: usize,
        /// Images that were classified.
        queries: usize,
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
            Record::Knn { k, top1, top5, .. } => {
                vec![
                    (format!("knn/top1_k{k}"), *top1),
                    (format!("knn/top5_k{k}"), *top5),
                ]
            }
            Record::Skipped { .. } => Vec::new(),
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

    /// Adds the records of an evaluation.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn record_knn(
        &mut self,
        step: usize,
        epoch: usize,
        accuracies: &[KnnAccuracy],
        (bank, queries): (usize, usize),
    ) -> Result<()> {
        for KnnAccuracy { k, top1, top5 } in accuracies.iter().copied() {
            self.record(Record::Knn {
                step,
                epoch,
                k,
                top1,
                top5,
                bank,
                queries,
            })?;
        }
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

    /// The evaluation before the first step, if there was one: top-1 with `k` neighbours.
    pub fn untrained(&self, k: usize) -> Option<f64> {
        self.records.iter().find_map(|record| match record {
            Record::Knn {
                step: 0,
                k: of,
                top1,
                ..
            } if *of == k => Some(*top1),
            _ => None,
        })
    }

    /// Draws the curves of everything recorded so far.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn draw(&self, dir: &RunDir, title: &str) -> Result<()> {
        replace(&dir.curves(), curves_svg(title, &self.panels()).as_bytes())?;
        Ok(())
    }

    fn panels(&self) -> Vec<Panel> {
        let line = |name: &str, value: fn(&Means) -> Option<f64>| {
            let points = self.records.iter().filter_map(|record| match record {
                Record::Step(means) => Some((means.step as f64, value(means).unwrap_or(f64::NAN))),
                _ => None,
            });
            Line {
                name: name.into(),
                points: points.collect(),
            }
        };
        let ln_k = (self.prototypes as f64).ln();
        let panel = |title: &str, unit: Option<&str>, lines: Vec<Line>| Panel {
            title: title.into(),
            unit: unit.map(Into::into),
            x_label: "step".into(),
            lines,
            references: Vec::new(),
        };
        let mut panels = vec![
            Panel {
                references: vec![("ln K".into(), ln_k)],
                ..panel(
                    "Loss",
                    Some("nats"),
                    vec![line("CLS", |m| m.cls), line("patch", |m| m.patch)],
                )
            },
            Panel {
                references: vec![("ln K".into(), ln_k)],
                ..panel(
                    "Teacher entropy",
                    Some("nats"),
                    vec![line("CLS targets", |m| m.teacher_entropy)],
                )
            },
            panel("Learning rate", None, vec![line("lr", |m| Some(m.lr))]),
            panel(
                "Agreement of views",
                None,
                vec![line("same prototype", |m| Some(m.agreement))],
            ),
            panel(
                "Gradient norm",
                None,
                vec![line("before clipping", |m| m.gradient_norm)],
            ),
            panel(
                "Speed",
                Some("img/s"),
                vec![line("images", |m| Some(m.images_per_second))],
            ),
        ];
        let knn = self.knn_panel();
        if !knn.lines.is_empty() {
            panels.insert(0, knn);
        }
        panels
    }

    fn knn_panel(&self) -> Panel {
        let mut panel = Panel {
            title: "k-NN top-1".into(),
            unit: Some("%".into()),
            x_label: "epoch".into(),
            ..Panel::default()
        };
        for record in &self.records {
            let Record::Knn {
                epoch,
                step,
                k,
                top1,
                ..
            } = record
            else {
                continue;
            };
            let name = format!("k = {k}");
            if *step == 0 && panel.references.is_empty() {
                panel
                    .references
                    .push(("before training".into(), 100.0 * top1));
            }
            let point = (*epoch as f64, 100.0 * top1);
            match panel.lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => panel.lines.push(Line {
                    name,
                    points: vec![point],
                }),
            }
        }
        panel
    }
}

fn record_step(record: &Record) -> usize {
    match record {
        Record::Step(means) | Record::Epoch(means) => means.step,
        Record::Knn { step, .. } | Record::Skipped { step, .. } => *step,
    }
}

/// All records in a run's folder. A crash can cut the last line short, or leave zeros; it is of a
/// lost step then.
fn read_records(dir: &RunDir) -> Vec<Record> {
    let bytes = fs::read(dir.metrics()).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
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
