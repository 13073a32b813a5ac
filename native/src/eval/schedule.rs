//! Evaluations between the epochs of a run: the entries of `[[eval]]`.

use ibot_core::problems::Problems;
use serde::{Deserialize, Serialize};

use super::evaluation::Evaluation;
use super::measures::Measures;
use super::task::{Curve, EvalTask, Unit};
use crate::features::EvalView;

/// An evaluation that a run carries out again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledEval {
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Epochs between two evaluations; 0 evaluates never.
    pub every: usize,
    /// Side of the central crop in pixels; the default is that of the global crops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// Side to which the shorter side of an image is resized before the crop, divided by `size`;
    /// the default is 256 / 224. The run's model file keeps it for later evaluations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<f64>,
}

impl ScheduledEval {
    /// Whether a run evaluates after `epochs` epochs; 0 is before the first step.
    pub fn is_due(&self, epochs: usize, is_last: bool) -> bool {
        self.every > 0 && (is_last || epochs.is_multiple_of(self.every))
    }

    /// How the evaluation sees images, where `usual` is the view of the run.
    pub fn view(&self, usual: EvalView) -> EvalView {
        usual.with(self.size, self.resize)
    }

    /// Checks the values.
    pub fn check(&self, at: &mut Problems) {
        let resize = self.resize.unwrap_or(1.0);
        at.within("resize", resize, EvalView::RESIZE_RATIOS);
    }
}

/// How far a run is when it evaluates.
pub struct EvalProgress<'a> {
    pub epochs: usize,
    /// Whether the run started from given weights.
    pub starts_trained: bool,
    /// What the same evaluation measured before the first step.
    pub first: Option<&'a Measures>,
}

impl EvalProgress<'_> {
    /// The measure that `task` is quoted by, beside that of the network before training.
    pub fn sentence(&self, task: &dyn EvalTask, measures: &Measures) -> Option<String> {
        let measure = task.headline(measures)?;
        let value = measures.get(measure)?;
        let curve = task.curve(measure)?;
        let title = task.title();
        let found = found(value, &curve);

        let start = if self.starts_trained {
            "initial"
        } else {
            "untrained"
        };
        let first = self.first.and_then(|measures| measures.get(measure));
        Some(match first {
            Some(first) if self.epochs > 0 => {
                let gain = gain(value - first, curve.unit);
                let epochs = self.epochs;
                format!("{title} after epoch {epochs}: {found}, {gain} on the {start} network")
            }
            _ => format!("{title} of the {start} network: {found}"),
        })
    }
}

/// A value with what it measures, such as `73.6 % top-1 (k = 20)`.
fn found(value: f64, curve: &Curve) -> String {
    let value = curve.unit.show(value);
    let which = match curve.label.as_str() {
        "" => String::new(),
        label => format!(" ({label})"),
    };
    format!("{value} {}{which}", curve.quantity)
}

fn gain(difference: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:+.1} points", 100.0 * difference),
        Unit::Number => format!("{difference:+.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::knn::Knn;
    use super::super::rank::Rank;
    use super::*;

    fn every(every: usize) -> ScheduledEval {
        ScheduledEval {
            every,
            size: None,
            resize: None,
            evaluation: Evaluation::Knn(Knn::default()),
        }
    }

    #[test]
    fn a_run_evaluates_before_it_and_after_every_few_epochs_and_the_last() {
        let due = |epochs| every(3).is_due(epochs, epochs == 7);
        let epochs: Vec<usize> = (0..=7).filter(|epochs| due(*epochs)).collect();
        assert_eq!(epochs, [0, 3, 6, 7]);
        assert!(!every(0).is_due(0, true));
    }

    #[test]
    fn a_sentence_compares_with_the_start() {
        let measured = |value: f64| {
            let mut measures = Measures::default();
            for (k, value) in [(10, 0.1), (20, value), (100, 0.2)] {
                measures.push(format!("top1_k{k}"), value);
            }
            measures
        };
        let first = measured(0.4);
        let progress = EvalProgress {
            epochs: 24,
            starts_trained: false,
            first: Some(&first),
        };
        assert_eq!(
            progress.sentence(&Knn::default(), &measured(0.736)),
            Some(
                "k-NN after epoch 24: 73.6 % top-1 (k = 20), +33.6 points on the untrained network"
                    .to_owned()
            )
        );
    }

    #[test]
    fn plain_numbers_are_quoted_as_such() {
        let measured = |value: f64| {
            let mut measures = Measures::default();
            measures.push("rankme".to_owned(), value);
            measures
        };
        let first = measured(20.94);
        let progress = EvalProgress {
            epochs: 2,
            starts_trained: true,
            first: Some(&first),
        };
        let sentence = progress.sentence(&Rank::default(), &measured(18.5));
        assert_eq!(
            sentence.as_deref(),
            Some("Label-free after epoch 2: 18.5 RankMe, -2.4 on the initial network")
        );
    }

    #[test]
    fn an_entry_refuses_what_its_kind_does_not_know() {
        let read = |text: &str| toml::from_str::<ScheduledEval>(text);
        let entry = read("kind = \"knn\"\nevery = 3\nbank = 50").expect("an entry");
        assert_eq!(
            entry.evaluation,
            Evaluation::Knn(Knn {
                bank: Some(50),
                queries: None
            })
        );
        assert_eq!(
            read(&toml::to_string(&entry).expect("TOML")).expect("its own"),
            entry
        );
        for wrong in [
            "kind = \"knn\"\nbnk = 5",
            "kind = \"knm\"",
            "every = 1",
            "kind = \"knn\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
