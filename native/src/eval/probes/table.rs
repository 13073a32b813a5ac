//! The best heads as a table and as measures.

use ibot_core::eval::{HeadScore, best_head};

use super::super::measures::Measures;
use super::super::task::Curve;

/// Measures are `top1_last` and `top1_best`.
const TOP1: &str = "top1_";
const TOP1_BEST: &str = "top1_best";
/// Rows of the table, beside that of the best epoch.
const SHOWN: usize = 5;

/// The best heads after the last epoch, the best first; then the best of any epoch, after so many.
pub fn table(scores: &[HeadScore], best: HeadScore, epochs: usize) -> String {
    let mut order: Vec<&HeadScore> = scores.iter().filter(|s| s.loss.is_finite()).collect();
    // Later heads first among equals, as the best one is chosen.
    order.reverse();
    order.sort_by(|a, b| b.top1.total_cmp(&a.top1));

    let mut table = "learning rate   top-1   top-5    loss".to_owned();
    for score in order.iter().take(SHOWN) {
        table += &row(score);
    }
    let diverged = scores.len() - order.len();
    if diverged > 0 {
        table += &format!("\n({diverged} of {} heads diverged)", scores.len());
    }
    table += &format!("\n\nbest of all epochs, after epoch {epochs}");
    table += &row(&best);
    table
}

fn row(score: &HeadScore) -> String {
    let (top1, top5) = (100.0 * score.top1, 100.0 * score.top5);
    // A rate times the batch size carries digits that say nothing.
    let rate = format!("{:.4e}", score.rate);
    format!(
        "\n{rate:>13}  {top1:5.1} %  {top5:5.1} %  {:6.3}",
        score.loss
    )
}

/// Last and best accuracies. The official code reports the best, which is chosen by the images that
/// it is measured on; the last says how much that flatters.
pub fn measures(scores: &[HeadScore], best: HeadScore, epochs: usize) -> Measures {
    let mut measures = Measures::default();
    if let Some(last) = best_head(scores).map(|head| scores[head]) {
        measures.push("top1_last".to_owned(), last.top1);
        measures.push("top5_last".to_owned(), last.top5);
        measures.push("rate_last".to_owned(), last.rate);
    }
    measures.push(TOP1_BEST.to_owned(), best.top1);
    measures.push("top5_best".to_owned(), best.top5);
    measures.push("rate_best".to_owned(), best.rate);
    measures.push("epoch_best".to_owned(), epochs as f64);
    measures
}

/// How curves and sentences show a measure.
pub fn curve(measure: &str) -> Option<Curve> {
    let epoch = measure.strip_prefix(TOP1)?;
    Some(Curve::top1(format!("{epoch} epoch")))
}

/// The measure that is quoted: the best of any epoch.
pub fn headline(measures: &Measures) -> Option<&str> {
    measures.named(TOP1_BEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_starts_with_the_best_head_that_did_not_diverge() {
        let score = |rate, top1, loss| HeadScore {
            rate,
            loss,
            top1,
            top5: 1.0,
        };
        let scores = [
            score(0.1, 0.5, 1.0),
            score(0.2, 0.7, 1.0),
            score(0.3, 0.7, 1.0),
            score(0.4, 0.0, f64::NAN),
        ];
        let table = table(&scores, score(0.2, 0.8, 0.9), 3);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].contains("3.0000e-1") && lines[1].contains("70.0 %"));
        assert!(lines[2].contains("2.0000e-1"));
        assert!(table.contains("(1 of 4 heads diverged)"));
        assert!(table.ends_with("100.0 %   0.900") && table.contains("after epoch 3"));

        let measures = measures(&scores, score(0.2, 0.8, 0.9), 3);
        assert_eq!(measures.get("rate_last"), Some(0.3));
        assert_eq!(measures.get("top1_best"), Some(0.8));
    }
}
