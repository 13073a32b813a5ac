//! Which curves `curves.svg` shows.

use super::means::Means;
use super::record::Record;
use crate::eval::{EvalTask, ScheduledEval};
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

/// A chart for each evaluation that was carried out.
fn eval_charts(records: &[Record], evals: &[ScheduledEval]) -> Vec<Chart> {
    let mut charts: Vec<(&str, Chart)> = Vec::new();
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

        if !charts.iter().any(|(of, _)| of == name) {
            charts.push((name, eval_chart(name, task)));
        }
        let Some((_, chart)) = charts.iter_mut().find(|(of, _)| of == name) else {
            continue;
        };
        for (measure, value) in measures.iter() {
            // A resumed run may no longer have the evaluation; its measures are then drawn under
            // their own names.
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

fn eval_chart(name: &str, task: Option<&dyn EvalTask>) -> Chart {
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
