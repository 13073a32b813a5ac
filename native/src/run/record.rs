//! The lines of `metrics.jsonl`.

use std::fs;

use serde::{Deserialize, Serialize};

use super::means::Means;
use super::not_finite::NotFinite;
use super::run_dir::RunDir;
use crate::eval::Measures;

/// What a run records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// The means over a few steps.
    Step(Means),
    /// The means over an epoch; after a resume, over what was left of it.
    Epoch(Means),
    /// A step whose losses or gradients were not finite and which changed nothing.
    Skipped {
        /// Steps done, this one included.
        step: usize,
        /// Counted from 0.
        epoch: usize,
        #[serde(flatten)]
        not_finite: NotFinite,
    },
    /// An evaluation; before the first step it is that of the untrained network, or of `run.init`.
    Eval {
        /// Such as `knn`.
        name: String,
        step: usize,
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

impl Record {
    /// The steps that were done.
    pub fn step(&self) -> usize {
        match self {
            Self::Step(means) | Self::Epoch(means) => means.step,
            Self::Skipped { step, .. } | Self::Eval { step, .. } | Self::Knn { step, .. } => *step,
        }
    }

    pub fn scalars(&self) -> Vec<(String, f64)> {
        match self {
            Self::Step(means) => means_scalars("train", means),
            Self::Epoch(means) => means_scalars("epoch", means),
            Self::Eval { name, measures, .. } => measures
                .iter()
                .map(|(measure, value)| (format!("{name}/{measure}"), value))
                .collect(),
            Self::Skipped { .. } | Self::Knn { .. } => Vec::new(),
        }
    }
}

fn means_scalars(group: &str, means: &Means) -> Vec<(String, f64)> {
    let mut scalars = vec![
        (
            format!("{group}/images_per_second"),
            means.images_per_second,
        ),
        (format!("{group}/waiting"), means.waiting),
    ];
    for (name, value) in &means.values {
        // JSON has no NaN, but TensorBoard shows where a curve breaks off.
        scalars.push((format!("{group}/{name}"), value.unwrap_or(f64::NAN)));
    }
    scalars
}

/// The records of a `metrics.jsonl`.
#[derive(Debug, Default)]
pub struct ParsedRecords {
    pub records: Vec<Record>,
    /// Lines before the last that are no records.
    pub damaged: usize,
}

/// Reads the records in the folder of a run.
pub fn read_records(dir: &RunDir) -> Vec<Record> {
    let bytes = fs::read(dir.metrics()).unwrap_or_default();
    parse_records(&String::from_utf8_lossy(&bytes)).records
}

/// Reads the content of a `metrics.jsonl`.
pub fn parse_records(text: &str) -> ParsedRecords {
    let mut parsed = ParsedRecords::default();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        match serde_json::from_str(line) {
            Ok(record) => push_record(&mut parsed.records, record),
            // A crash can leave the last line cut short, or zeros. It belongs to a lost step.
            Err(_) if is_last => {}
            Err(_) => parsed.damaged += 1,
        }
    }
    parsed
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
    let steps = read_records(dir).iter().map(Record::step).max();
    steps.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_earlier_versions_are_read() {
        let line = r#"{"kind":"step","step":10,"epoch":0,"steps":10,"loss":5.5,"cls":null,"lr":0,"agreement":0.25,"skipped_steps":1,"images_per_second":8.5,"memory_mib":null}"#;
        let Ok(Record::Step(means)) = serde_json::from_str(line) else {
            panic!("a record of steps")
        };
        assert_eq!((means.step, means.skipped_steps), (10, 1));
        assert_eq!(means.get("loss"), Some(5.5));
        assert_eq!((means.get("cls"), means.get("lr")), (None, Some(0.0)));

        let text = serde_json::to_string(&Record::Step(means.clone())).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Record>(&text).expect("JSON"),
            Record::Step(means)
        );

        let line = r#"{"kind":"skipped","step":3,"epoch":0,"parts":["gradients"],"tensors_at_fault":1,"tensors":["a"]}"#;
        let record: Record = serde_json::from_str(line).expect("a record");
        assert_eq!(serde_json::to_string(&record).expect("JSON"), line);
    }
}
