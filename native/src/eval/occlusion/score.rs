//! Accuracies over hidden patches: as measures, as a table and as curves.

use super::hidden::Hidden;
use crate::eval::views::RightCount;
use crate::eval::{Curve, Measures, Unit};
use crate::report::curves::{Chart, curves_svg};

/// What was found with some patches hidden.
#[derive(Clone, Debug)]
pub struct OcclusionScore {
    pub hidden: Hidden,
    /// Tenths of the patches, or of the attention.
    pub tenths: usize,
    pub tally: RightCount,
    /// The shares of patches that were hidden, summed over images.
    pub hidden_shares: f64,
}

impl OcclusionScore {
    /// The mean share of patches that were hidden: the information loss.
    fn lost(&self) -> f64 {
        self.hidden_shares / self.tally.judged.max(1) as f64
    }

    fn step(&self) -> f64 {
        self.tenths as f64 / 10.0
    }
}

/// Measures are `top1_random0.5`, `top1_salient0.5` and so on, and `hidden_salient0.5`.
pub fn measures(scores: &[OcclusionScore]) -> Measures {
    let mut measures = Measures::default();
    for score in scores {
        let (name, step) = (score.hidden.name(), score.step());
        measures.push(format!("top1_{name}{step}"), score.tally.top1());
        measures.push(format!("hidden_{name}{step}"), score.lost());
    }
    measures
}

pub fn curve(measure: &str) -> Option<Curve> {
    let rest = measure.strip_prefix("top1_")?;
    // Of two names one is the end of the other, but none is its beginning.
    let hidden = Hidden::ALL
        .into_iter()
        .find(|hidden| rest.starts_with(hidden.name()))?;
    let step = rest.strip_prefix(hidden.name())?;
    let along = match hidden {
        Hidden::Random => "hidden",
        Hidden::Salient | Hidden::NonSalient => "lambda",
    };
    Some(Curve {
        quantity: hidden.quantity(),
        unit: Unit::Share,
        label: format!("{along} = {step}"),
    })
}

/// A block of rows for each kind of hidden patches.
pub fn table(scores: &[OcclusionScore], judge: &str) -> String {
    let mut table = format!("by a {judge}");
    for hidden in Hidden::ALL {
        let own = scores.iter().filter(|score| score.hidden == hidden);
        for (row, score) in own.enumerate() {
            if row == 0 {
                let along = match hidden {
                    Hidden::Random => "share ",
                    _ => "lambda",
                };
                table += &format!("\n\n{along}  hidden   {}", hidden.quantity());
            }
            let (step, lost) = (score.step(), 100.0 * score.lost());
            table += &format!(
                "\n{step:6.1}  {lost:4.0} %  {:6.1} %",
                100.0 * score.tally.top1()
            );
        }
    }
    table
}

/// An SVG of the accuracy over the share of hidden patches, a curve for each kind.
pub fn picture(scores: &[OcclusionScore], classes: usize) -> String {
    let mut chart = Chart {
        title: "top-1".to_owned(),
        unit: Some("%".to_owned()),
        x_label: "hidden patches in percent".to_owned(),
        references: vec![("chance".to_owned(), 100.0 / classes as f64)],
        ..Chart::default()
    };
    let mut ordered: Vec<&OcclusionScore> = scores.iter().collect();
    ordered.sort_by(|a, b| a.lost().total_cmp(&b.lost()));
    for score in ordered {
        let point = (100.0 * score.lost(), 100.0 * score.tally.top1());
        chart.add_point(score.hidden.name().to_owned(), point);
    }
    curves_svg("Images of which patches are hidden", &[chart])
}
