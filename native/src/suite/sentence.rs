//! A figure beside what it is compared with, in words.

use crate::eval::{EvalTask, Unit, measure_title};

pub struct Comparison {
    /// Such as `pixels`.
    pub name: String,
    pub value: f64,
}

/// Such as `73.6 % top-1 (k = 20): 33.7 points more than the untrained network`; `None` for a
/// measure that is not quoted.
pub fn sentence(
    task: &dyn EvalTask,
    measure: &str,
    value: f64,
    others: &[Comparison],
) -> Option<String> {
    let unit = task.curve(measure)?.unit;
    let found = format!("{} {}", unit.show(value), measure_title(task, measure));
    let mut comparisons = Vec::with_capacity(others.len());
    for other in others {
        comparisons.push(comparison(unit, value, other));
    }

    Some(match comparisons.is_empty() {
        true => format!("{found}."),
        false => format!("{found}: {}.", comparisons.join(", ")),
    })
}

fn comparison(unit: Unit, value: f64, other: &Comparison) -> String {
    let name = match other.name.as_str() {
        "pixels" => "plain pixels",
        "untrained" => "the untrained network",
        name => name,
    };
    let difference = value - other.value;
    let amount = match unit {
        // Points, as a difference of shares is no share of anything.
        Unit::Share => format!("{:.1} points", 100.0 * difference.abs()),
        Unit::Number => unit.show(difference.abs()),
    };

    let direction = if difference < 0.0 { "less" } else { "more" };
    format!("{amount} {direction} than {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Knn;

    #[test]
    fn a_figure_is_compared_with_each_yardstick() {
        let others = [("untrained", 0.4), ("pixels", 0.75)].map(|(name, value)| Comparison {
            name: name.to_owned(),
            value,
        });
        let knn = Knn::default();
        assert_eq!(
            sentence(&knn, "top1_k20", 0.736, &others).as_deref(),
            Some(
                "73.6 % top-1 (k = 20): 33.6 points more than the untrained network, 1.4 points \
                 less than plain pixels."
            )
        );
        assert_eq!(
            sentence(&knn, "top1_k20", 0.736, &[]).as_deref(),
            Some("73.6 % top-1 (k = 20).")
        );
    }
}
