//! What the classifiers of all numbers of patches found: as measures, as a table and as a curve.

use ibot_core::eval::HeadScore;

use crate::eval::Measures;
use crate::report::curves::{Chart, curves_svg};

/// Measures are `top1_k14` and so on: the best head of any epoch.
pub const TOP1: &str = "top1_k";

pub struct PartScore {
    pub patches: usize,
    /// The best head of any epoch.
    pub best: HeadScore,
    /// The best head of the last epoch.
    pub last: HeadScore,
}

pub fn measures(scores: &[PartScore]) -> Measures {
    let mut measures = Measures::default();
    for score in scores {
        let k = score.patches;
        measures.push(format!("{TOP1}{k}"), score.best.top1);
        measures.push(format!("top5_k{k}"), score.best.top5);
        measures.push(format!("top1_last_k{k}"), score.last.top1);
    }
    measures
}

/// A row for each number of patches.
pub fn table(scores: &[PartScore]) -> String {
    let mut table = "patches   top-1   top-5   rate   top-1 of the last epoch".to_owned();
    for score in scores {
        let PartScore {
            patches,
            best,
            last,
        } = score;
        let (top1, top5) = (100.0 * best.top1, 100.0 * best.top5);
        let last = 100.0 * last.top1;
        table += &format!(
            "\n{patches:7}  {top1:5.1} %  {top5:5.1} %  {:6.2e}  {last:5.1} %",
            best.rate
        );
    }
    table
}

/// An SVG of the accuracy over the number of patches, beside that of a guess.
pub fn curve(scores: &[PartScore], classes: usize, lowest: bool) -> String {
    let which = if lowest { "least" } else { "most" };
    let title = format!("Linear classification from the {which} attended patches");
    let mut chart = Chart {
        title: "top-1".to_owned(),
        unit: Some("%".to_owned()),
        x_label: "patches".to_owned(),
        references: vec![("chance".to_owned(), 100.0 / classes as f64)],
        ..Chart::default()
    };
    for score in scores {
        let x = score.patches as f64;
        chart.add_point("best epoch".to_owned(), (x, 100.0 * score.best.top1));
        chart.add_point("last epoch".to_owned(), (x, 100.0 * score.last.top1));
    }
    curves_svg(&title, &[chart])
}
