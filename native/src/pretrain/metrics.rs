//! What a run records: JSON lines for programs, TensorBoard events and curves for people.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result};
use ibot_core::knn::KnnAccuracy;
use ibot_core::schedule::StepValues;
use ibot_core::train::StepReport;
use serde::{Deserialize, Serialize};

use super::run_dir::RunDir;
use crate::files::write_atomically;
use crate::report::curves::{Line, Panel, curves_svg};
use crate::report::tensorboard::EventWriter;

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// The mean over a few steps.
    Step(Means),
    /// The mean over an epoch, or what of it was not done before a resume.
    Epoch(Means),
    /// An evaluation; before the first step it is that of the untrained network.
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

/// Means over the steps up to `step`. Losses in nats, `null` where not finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Means {
    pub step: usize,
    pub epoch: usize,
    /// Steps in the mean.
    pub steps: usize,
    pub loss: Option<f64>,
    pub cls: Option<f64>,
    pub patch: Option<f64>,
    pub lr: f64,
    pub weight_decay: f64,
    pub momentum: f64,
    pub teacher_temp: f64,
    pub teacher_patch_temp: f64,
    pub gradient_norm: Option<f64>,
    pub teacher_entropy: Option<f64>,
    /// Share of the prototypes that are some crop's most likely one.
    pub prototype_usage: f64,
    /// Share of images whose two views agree on the prototype.
    pub agreement: f64,
    pub skipped_steps: usize,
    pub images_per_second: f64,
    /// Resident memory of the process, in MiB.
    pub memory_mib: Option<u64>,
}

/// Steps collected for a mean.
pub struct Window {
    start: Instant,
    steps: usize,
    skipped: usize,
    images: usize,
    /// Loss, CLS loss, patch loss, gradient norm, teacher entropy, agreement.
    sums: [f64; 6],
    used: Vec<bool>,
}

impl Window {
    /// An empty window for a head of `prototypes`.
    pub fn new(prototypes: usize) -> Self {
        Self { start: Instant::now(), steps: 0, skipped: 0, images: 0, sums: [0.0; 6], used: vec![false; prototypes] }
    }

    /// Adds a step of `images` images.
    pub fn add(&mut self, report: &StepReport, images: usize) {
        let values =
            [report.loss, report.cls, report.patch, report.norms.total(), report.teacher_entropy, report.agreement];
        self.sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        self.steps += 1;
        self.skipped += usize::from(!report.applied);
        self.images += images;
        for prototype in &report.teacher_prototypes {
            if let Some(used) = self.used.get_mut(*prototype as usize) {
                *used = true;
            }
        }
    }

    /// The means after `step` steps, of epoch `epoch`, and an empty window.
    pub fn take(&mut self, step: usize, epoch: usize, now: &StepValues) -> Means {
        let done = std::mem::replace(self, Self::new(self.used.len()));
        let mean = |i: usize| done.sums[i] / done.steps.max(1) as f64;
        let finite = |i: usize| Some(mean(i)).filter(|value| value.is_finite());
        Means {
            step,
            epoch,
            steps: done.steps,
            loss: finite(0),
            cls: finite(1),
            patch: finite(2),
            gradient_norm: finite(3),
            teacher_entropy: finite(4),
            agreement: mean(5),
            lr: now.lr,
            weight_decay: now.weight_decay,
            momentum: now.momentum,
            teacher_temp: now.teacher_temp,
            teacher_patch_temp: now.teacher_patch_temp,
            prototype_usage: done.used.iter().filter(|used| **used).count() as f64 / done.used.len().max(1) as f64,
            skipped_steps: done.skipped,
            images_per_second: done.images as f64 / done.start.elapsed().as_secs_f64().max(1e-9),
            memory_mib: resident_mib(),
        }
    }
}

/// Resident memory of this process in MiB, where the system tells.
fn resident_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

/// The records of a run.
pub struct Metrics {
    file: File,
    events: EventWriter,
    records: Vec<Record>,
    prototypes: usize,
}

impl Metrics {
    /// Opens the records of a run that has done `step` steps; what a lost part of it recorded after that is dropped.
    ///
    /// # Errors
    /// If the files cannot be read or written.
    pub fn open(dir: &RunDir, step: usize, prototypes: usize) -> Result<Self> {
        let path = dir.metrics();
        let place = || format!("metrics {}", path.display());
        let mut records = Vec::new();
        if step > 0 {
            let text = fs::read_to_string(&path).with_context(place)?;
            // A crash can cut the last line short; it is of a lost step then.
            records = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            records.retain(|record| record_step(record) <= step);
        }
        let mut text = String::new();
        for record in &records {
            text += &serde_json::to_string(record)?;
            text.push('\n');
        }
        write_atomically(&path, text.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path).with_context(place)?;
        let events = EventWriter::create(&dir.tensorboard()).context("TensorBoard events")?;
        Ok(Self { file, events, records, prototypes })
    }

    /// Adds a record everywhere.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn record(&mut self, record: Record) -> Result<()> {
        writeln!(self.file, "{}", serde_json::to_string(&record)?).context("metrics.jsonl")?;
        let step = record_step(&record) as u64;
        let tagged = match &record {
            Record::Step(means) => scalars("train", means),
            Record::Epoch(means) => scalars("epoch", means),
            Record::Knn { k, top1, top5, .. } => {
                vec![(format!("knn/top1_k{k}"), *top1), (format!("knn/top5_k{k}"), *top5)]
            }
        };
        let tagged: Vec<(&str, f64)> = tagged.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
        let written = self.events.scalars(step, &tagged).and_then(|()| self.events.flush());
        written.context("TensorBoard events")?;
        self.records.push(record);
        Ok(())
    }

    /// Adds the records of an evaluation.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn record_knn(
        &mut self,
        step: usize,
        epoch: usize,
        accuracies: &[KnnAccuracy],
        (bank, queries): (usize, usize),
    ) -> Result<()> {
        for KnnAccuracy { k, top1, top5 } in accuracies.iter().copied() {
            self.record(Record::Knn { step, epoch, k, top1, top5, bank, queries })?;
        }
        Ok(())
    }

    /// The evaluation before the first step, if there was one: top-1 with `k` neighbours.
    pub fn untrained(&self, k: usize) -> Option<f64> {
        self.records.iter().find_map(|record| match record {
            Record::Knn { step: 0, k: of, top1, .. } if *of == k => Some(*top1),
            _ => None,
        })
    }

    /// Draws the curves of everything recorded so far.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn draw(&self, dir: &RunDir, title: &str) -> Result<()> {
        write_atomically(&dir.curves(), curves_svg(title, &self.panels()).as_bytes())?;
        Ok(())
    }

    fn panels(&self) -> Vec<Panel> {
        let line = |name: &str, value: fn(&Means) -> Option<f64>| {
            let points = self.records.iter().filter_map(|record| match record {
                Record::Step(means) => Some((means.step as f64, value(means).unwrap_or(f64::NAN))),
                _ => None,
            });
            Line { name: name.into(), points: points.collect() }
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
                ..panel("Loss", Some("nats"), vec![line("CLS", |m| m.cls), line("patch", |m| m.patch)])
            },
            Panel {
                references: vec![("ln K".into(), ln_k)],
                ..panel("Teacher entropy", Some("nats"), vec![line("CLS targets", |m| m.teacher_entropy)])
            },
            panel("Learning rate", None, vec![line("lr", |m| Some(m.lr))]),
            panel("Agreement of views", None, vec![line("same prototype", |m| Some(m.agreement))]),
            panel("Gradient norm", None, vec![line("before clipping", |m| m.gradient_norm)]),
            panel("Speed", Some("img/s"), vec![line("images", |m| Some(m.images_per_second))]),
        ];
        let knn = self.knn_panel();
        if !knn.lines.is_empty() {
            panels.insert(0, knn);
        }
        panels
    }

    fn knn_panel(&self) -> Panel {
        let mut panel =
            Panel { title: "k-NN top-1".into(), unit: Some("%".into()), x_label: "epoch".into(), ..Panel::default() };
        for record in &self.records {
            let Record::Knn { epoch, step, k, top1, .. } = record else { continue };
            let name = format!("k = {k}");
            if *step == 0 && panel.references.is_empty() {
                panel.references.push(("untrained".into(), 100.0 * top1));
            }
            let point = (*epoch as f64, 100.0 * top1);
            match panel.lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => panel.lines.push(Line { name, points: vec![point] }),
            }
        }
        panel
    }
}

fn record_step(record: &Record) -> usize {
    match record {
        Record::Step(means) | Record::Epoch(means) => means.step,
        Record::Knn { step, .. } => *step,
    }
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
    ];
    values.into_iter().map(|(tag, value)| (format!("{group}/{tag}"), value.unwrap_or(f64::NAN))).collect()
}
