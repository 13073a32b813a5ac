//! Measures that run along a number, such as accuracy over the number of neighbours, as charts.

use super::outcome::SuiteOutcome;
use crate::eval::{EvalTask, Unit, chance};
use crate::report::curves::Chart;

// Fewer points are read from a table as easily.
const LEAST_POINTS: usize = 3;

/// A chart for each quantity that entry `index` measured at several values of a number, with a
/// curve for each subject, and the level of a guess among `classes` classes.
pub fn charts(
    task: &dyn EvalTask,
    index: usize,
    subjects: &[SuiteOutcome],
    classes: usize,
) -> Vec<Chart> {
    let mut charts: Vec<Chart> = Vec::new();
    for subject in subjects {
        let Some(finding) = subject.outcomes[index].finding() else {
            continue;
        };
        for (measure, value) in finding.measures.iter() {
            if let Some(point) = point_of(task, measure, value) {
                let chart = point.chart(&mut charts, task);
                chart.add_point(subject.subject.clone(), (point.x, point.y));
                if let Some(guess) = chance(measure, classes)
                    // Once a chart, though each subject comes by.
                    && chart.references.is_empty()
                {
                    chart.references.push(("chance".to_owned(), 100.0 * guess));
                }
            }
        }
    }

    charts.retain(|chart| {
        let longest = chart.curves.iter().map(|curve| curve.points.len()).max();
        longest.unwrap_or(0) >= LEAST_POINTS
    });
    charts
}

struct MeasuredPoint {
    quantity: &'static str,
    unit: Unit,
    /// What runs along the horizontal axis.
    along: String,
    x: f64,
    y: f64,
}

/// `None` if the label of the measure is not such as `k = 20`.
fn point_of(task: &dyn EvalTask, measure: &str, value: f64) -> Option<MeasuredPoint> {
    let curve = task.curve(measure)?;
    let (along, x) = curve.label.rsplit_once(" = ")?;
    Some(MeasuredPoint {
        quantity: curve.quantity,
        unit: curve.unit,
        along: along.to_owned(),
        x: x.parse().ok()?,
        y: match curve.unit {
            Unit::Share => 100.0 * value,
            Unit::Number => value,
        },
    })
}

impl MeasuredPoint {
    fn chart<'a>(&self, charts: &'a mut Vec<Chart>, task: &dyn EvalTask) -> &'a mut Chart {
        let title = format!("{} {}", task.title(), self.quantity);
        // Quantities of several entries may have one title, and share a chart.
        let place = charts.iter().position(|chart| chart.title == title);
        let place = place.unwrap_or(charts.len());
        if place == charts.len() {
            charts.push(Chart {
                title,
                unit: match self.unit {
                    Unit::Share => Some("%".to_owned()),
                    Unit::Number => None,
                },
                x_label: self.along.clone(),
                ..Chart::default()
            });
        }
        &mut charts[place]
    }
}
