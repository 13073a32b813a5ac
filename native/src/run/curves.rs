//! Which curves `curves.svg` shows.

use super::means::Means;
use super::record::Record;
use crate::eval::{EvalTask, ScheduledEval, Unit};
use crate::report::curves::{Chart, ChartLine};

/// Values of the records of steps that are drawn in one chart.
pub struct ChartSpec {
    pub title: &'static str,
    pub unit: Option<&'static str>,
    /// Labels, and names of values.
    pub lines: Vec<(&'static str, &'static str)>,
    /// A level to compare with.
    pub reference: Option<(&'static str, f64)>,
}

/// The charts of a run: evaluations, what the learner wants shown, and the speed.
pub fn charts(records: &[Record], evals: &[ScheduledEval], specs: &[ChartSpec]) -> Vec<Chart> {
    let mut charts = eval_charts(records, evals);
    for spec in specs {
        let lines = spec.lines.iter().map(|(label, name)| {
            step_line(records, label, |means| means.get(name).unwrap_or(f64::NAN))
        });
        let reference = spec.reference.iter();
        charts.push(Chart {
            title: spec.title.into(),
            unit: spec.unit.map(Into::into),
            x_label: "step".into(),
            curves: lines.collect(),
            references: reference
                .map(|(label, level)| ((*label).to_owned(), *level))
                .collect(),
        });
    }

    let speed = step_line(records, "images", |means| means.images_per_second);
    charts.push(Chart {
        title: "Speed".into(),
        unit: Some("img/s".into()),
        x_label: "step".into(),
        curves: vec![speed],
        references: Vec::new(),
    });
    charts
}

fn step_line(records: &[Record], label: &str, value: impl Fn(&Means) -> f64) -> ChartLine {
    let points = records.iter().filter_map(|record| match record {
        Record::Step(means) => Some((means.step as f64, value(means))),
        _ => None,
    });
    ChartLine {
        name: label.into(),
        points: points.collect(),
    }
}

/// A chart for each quantity of each evaluation that was carried out.
fn eval_charts(records: &[Record], evals: &[ScheduledEval]) -> Vec<Chart> {
    let mut charts: Vec<Chart> = Vec::new();
    for record in records {
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

        for (measure, value) in measures.iter() {
            let Some(line) = EvalLine::of(name, task, measure) else {
                continue;
            };
            let level = match line.unit {
                Unit::Share => 100.0 * value,
                Unit::Number => value,
            };
            let chart = line.chart(&mut charts);
            if *step == 0 && chart.references.is_empty() {
                chart.references.push(("before training".to_owned(), level));
            }
            chart.add_point(line.label, (*epoch as f64, level));
        }
    }
    charts
}

/// Where a measure is drawn.
struct EvalLine {
    /// The title of its chart.
    title: String,
    unit: Unit,
    /// Its name in the legend.
    label: String,
}

impl EvalLine {
    /// `None` if the evaluation `task`, called `name`, leaves `measure` out.
    fn of(name: &str, task: Option<&dyn EvalTask>, measure: &str) -> Option<Self> {
        // A resumed run may no longer have the evaluation; its measures are then drawn as plain
        // numbers under their own names.
        let Some(task) = task else {
            return Some(Self {
                title: name.to_owned(),
                unit: Unit::Number,
                label: measure.to_owned(),
            });
        };

        let curve = task.curve(measure)?;
        Some(Self {
            title: format!("{} {}", task.title(), curve.quantity),
            unit: curve.unit,
            label: match curve.label.as_str() {
                "" => curve.quantity.to_owned(),
                label => label.to_owned(),
            },
        })
    }

    /// Its chart, which is made if it is missing.
    fn chart<'a>(&self, charts: &'a mut Vec<Chart>) -> &'a mut Chart {
        let place = charts.iter().position(|chart| chart.title == self.title);
        let place = place.unwrap_or(charts.len());
        if place == charts.len() {
            charts.push(Chart {
                title: self.title.clone(),
                unit: match self.unit {
                    Unit::Share => Some("%".into()),
                    Unit::Number => None,
                },
                x_label: "epoch".into(),
                ..Chart::default()
            });
        }
        &mut charts[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Evaluation, Knn, Measures, Rank};

    fn entry(evaluation: Evaluation) -> ScheduledEval {
        ScheduledEval {
            evaluation,
            every: 1,
            size: None,
            resize: None,
        }
    }

    fn record(name: &str, epoch: usize, values: &[(&str, f64)]) -> Record {
        let mut measures = Measures::default();
        for (measure, value) in values {
            measures.push((*measure).to_owned(), *value);
        }
        Record::Eval {
            name: name.to_owned(),
            step: 10 * epoch,
            epoch,
            measures,
        }
    }

    #[test]
    fn each_quantity_of_an_evaluation_has_its_chart() {
        let evals = [
            entry(Evaluation::Knn(Knn::default())),
            entry(Evaluation::Rank(Rank::default())),
        ];
        let mut records = Vec::new();
        for (epoch, value) in [(0, 0.25), (1, 0.5)] {
            records.push(record(
                "knn",
                epoch,
                &[("top1_k10", value), ("top5_k10", 0.9)],
            ));
            let of_rank = [("rankme", 40.0 * value), ("content", value)];
            records.push(record("rank", epoch, &of_rank));
            records.push(record("gone", epoch, &[("level", value)]));
        }

        let charts = eval_charts(&records, &evals);
        let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
        let expected = [
            "k-NN top-1",
            "Label-free RankMe",
            "Label-free patch tokens",
            "gone",
        ];
        assert_eq!(titles, expected);
        let units: Vec<Option<&str>> = charts.iter().map(|chart| chart.unit.as_deref()).collect();
        assert_eq!(units, [Some("%"), None, Some("%"), None]);

        let lines: Vec<&str> = charts.iter().map(|c| c.curves[0].name.as_str()).collect();
        assert_eq!(lines, ["k = 10", "RankMe", "content", "level"]);
        assert_eq!(charts[0].curves[0].points, [(0.0, 25.0), (1.0, 50.0)]);
        assert_eq!(charts[1].curves[0].points, [(0.0, 10.0), (1.0, 20.0)]);
        assert_eq!(charts[1].references, [("before training".to_owned(), 10.0)]);
        assert_eq!(charts[2].curves[0].points, [(0.0, 25.0), (1.0, 50.0)]);
        assert_eq!(charts[3].curves[0].points, [(0.0, 0.25), (1.0, 0.5)]);
    }
}
