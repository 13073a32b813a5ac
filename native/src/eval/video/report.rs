//! J and F as measures and as a table.

use ibot_core::eval::video::{ObjectScore, Series};

use super::super::measures::Measures;
use super::super::task::{Curve, Unit};
use super::sequence::SequenceScore;

/// The mean of J and F over all objects.
pub const JF: &str = "jf_mean";

/// Measures of all objects, with what people call them.
const MEASURES: [(&str, &str); 7] = [
    (JF, "J&F"),
    ("j_mean", "J"),
    ("j_recall", "J recall"),
    ("j_decay", "J decay"),
    ("f_mean", "F"),
    ("f_recall", "F recall"),
    ("f_decay", "F decay"),
];

/// The means over all objects, then J and F of each sequence.
pub fn measures(found: &[SequenceScore]) -> Measures {
    let mut measures = Measures::default();
    let all = mean_of_all(found);
    for ((name, _), value) in MEASURES.iter().zip(values(&all)) {
        measures.push((*name).to_owned(), value);
    }
    for sequence in found {
        let score = ObjectScore::mean_of(&sequence.objects);
        let name = &sequence.name;
        measures.push(format!("j_mean_{name}"), score.region.mean);
        measures.push(format!("f_mean_{name}"), score.boundary.mean);
    }
    measures
}

pub fn curve(measure: &str) -> Option<Curve> {
    let longest = |(name, _): &&(&str, &str)| {
        let rest = measure.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let (name, quantity) = MEASURES.iter().find(longest)?;
    Some(Curve {
        quantity,
        unit: Unit::Share,
        label: measure[name.len()..].trim_start_matches('_').to_owned(),
    })
}

/// A row for each object, then the mean.
pub fn table(found: &[SequenceScore]) -> String {
    let mut rows = Vec::new();
    for sequence in found {
        for (number, score) in (1..).zip(&sequence.objects) {
            let note = match sequence.lost.contains(&number) {
                true => "  smaller than a patch",
                false => "",
            };
            rows.push((format!("{}_{number}", sequence.name), *score, note));
        }
    }
    rows.push(("mean".to_owned(), mean_of_all(found), ""));
    let width = rows.iter().map(|(name, ..)| name.chars().count()).max();
    let width = width.unwrap_or(0);

    let mut table = format!("{:width$}", "object");
    for (_, title) in MEASURES {
        table += &format!("  {title:>8}");
    }
    for (name, score, note) in &rows {
        table += &format!("\n{name:width$}");
        for value in values(score) {
            table += &format!("  {:7.1}%", 100.0 * value);
        }
        table += note;
    }
    table
}

fn values(score: &ObjectScore) -> [f64; 7] {
    let Series {
        mean,
        recall,
        decay,
    } = score.region;
    let boundary = score.boundary;
    [
        score.mean(),
        mean,
        recall,
        decay,
        boundary.mean,
        boundary.recall,
        boundary.decay,
    ]
}

/// The means over the objects of all sequences: one with many objects counts more.
fn mean_of_all(found: &[SequenceScore]) -> ObjectScore {
    let mut all = Vec::new();
    for sequence in found {
        all.extend_from_slice(&sequence.objects);
    }
    ObjectScore::mean_of(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(mean: f64) -> ObjectScore {
        let series = |mean| Series {
            mean,
            recall: 0.5,
            decay: -0.25,
        };
        ObjectScore {
            region: series(mean),
            boundary: series(mean / 2.0),
        }
    }

    fn found() -> Vec<SequenceScore> {
        let sequence = |name: &str, objects: &[f64]| SequenceScore {
            name: name.to_owned(),
            objects: objects.iter().map(|mean| score(*mean)).collect(),
            lost: vec![2],
            frames: 5,
        };
        vec![sequence("dog", &[0.8]), sequence("two_men", &[0.2, 0.5])]
    }

    #[test]
    fn every_object_counts_alike() {
        let measures = measures(&found());
        let value = |name: &str| measures.get(name).expect("a measure");
        assert!((value("j_mean") - 0.5).abs() < 1e-12);
        assert!((value(JF) - 0.375).abs() < 1e-12);
        assert!((value("j_mean_two_men") - 0.35).abs() < 1e-12);
        assert_eq!((value("j_recall"), value("f_decay")), (0.5, -0.25));
    }

    #[test]
    fn measures_have_names_for_people() {
        let title = |measure: &str| {
            let curve = curve(measure).expect("a measure");
            format!("{} ({})", curve.quantity, curve.label)
        };
        assert_eq!(title("j_mean"), "J ()");
        assert_eq!(title("f_mean_two_men"), "F (two_men)");
        assert_eq!(title("j_decay"), "J decay ()");
        assert!(curve("j_means").is_none());
        let table = table(&found());
        assert!(table.contains("two_men_2     37.5%     50.0%"), "{table}");
        assert!(table.contains("-25.0%  smaller than a patch"), "{table}");
    }
}
