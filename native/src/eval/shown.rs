//! Measures as people read them.

use super::task::{EvalTask, Unit};

/// How measures begin that are shares: of the images whose class is among the likeliest, of the
/// pixels of a class.
const SHARES: [&str; 3] = ["top1", "top5", "iou_"];

/// The value of a measure of `task`, such as `73.6 %`.
pub fn shown(task: Option<&dyn EvalTask>, measure: &str, value: f64) -> String {
    let curve = task.and_then(|task| task.curve(measure));
    let unit = match curve {
        Some(curve) => curve.unit,
        None if SHARES.iter().any(|share| measure.starts_with(share)) => Unit::Share,
        None => Unit::Number,
    };
    unit.show(value)
}

/// What a measure is called, such as `top-1 (k = 20)`; its own name if it has no curve.
pub fn measure_title(task: &dyn EvalTask, measure: &str) -> String {
    match task.curve(measure) {
        Some(curve) if curve.label.is_empty() => curve.quantity.to_owned(),
        Some(curve) => format!("{} ({})", curve.quantity, curve.label),
        None => measure.to_owned(),
    }
}

/// The share of right answers of a reader that guesses among `classes` classes without looking;
/// `None` for a measure that does not classify.
pub fn chance(measure: &str, classes: usize) -> Option<f64> {
    let tries = if measure.starts_with("top1") {
        1.0
    } else if measure.starts_with("top5") {
        5.0
    } else {
        return None;
    };
    (classes > 0).then(|| (tries / classes as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::super::knn::Knn;
    use super::*;

    #[test]
    fn shares_are_percent_and_other_numbers_keep_three_digits() {
        let knn: Option<&dyn EvalTask> = Some(&Knn {
            bank: None,
            queries: None,
        });
        assert_eq!(shown(knn, "top1_k20", 0.7361), "73.6 %");
        assert_eq!(shown(knn, "top5_k20", 0.5), "50.0 %");
        assert_eq!(shown(None, "rank", 31.26), "31.3");
        assert_eq!(shown(None, "norm", 0.000_123_4), "1.23e-4");
        assert_eq!(shown(None, "used_clusters", 10.0), "10");
        assert_eq!(shown(None, "image_share", 0.4581), "0.458");
        assert_eq!(shown(None, "norm", f64::NAN), "not finite");
    }

    #[test]
    fn a_guess_is_right_as_often_as_there_are_classes() {
        assert_eq!(chance("top1_k20", 8), Some(0.125));
        assert_eq!(chance("top5", 3), Some(1.0));
        assert_eq!(chance("rank", 8), None);
        assert_eq!(chance("top1", 0), None);
    }
}
