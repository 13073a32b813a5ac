//! How far the confidence of a classifier can be trusted.

/// Answers of a bin of the official evaluation.
pub const BIN: usize = 100;

/// An answer of a classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The probability that it gave to its answer.
    pub confidence: f64,
    /// Whether the answer was right.
    pub is_right: bool,
}

/// Which bins a calibration error counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bins {
    /// All.
    All,
    /// All but the last, which has the most confident answers: the official loop leaves it out.
    AllButLast,
}

/// The root of the mean square of the difference between confidence and accuracy. Answers of rising
/// confidence form bins of [`BIN`]; the last takes the remainder, too. Of fewer answers than a bin
/// there is one bin. 0 without answers.
pub fn rms_calibration_error(answers: &[Answer], bins: Bins) -> f64 {
    let mut sorted = answers.to_vec();
    // The sort is stable: equally confident answers fall into the same bins each time.
    sorted.sort_by(|a, b| a.confidence.total_cmp(&b.confidence));

    let count = (sorted.len() / BIN).max(1);
    let counted = match bins {
        Bins::All => count,
        Bins::AllButLast => count - 1,
    };
    let mut sum = 0.0;
    for bin in 0..counted {
        let end = if bin + 1 == count {
            sorted.len()
        } else {
            (bin + 1) * BIN
        };
        let answers = &sorted[bin * BIN..end];
        let surplus: f64 = answers.iter().map(|a| a.confidence - right(a)).sum();
        // The mean difference, squared, times the number of answers.
        sum += surplus * surplus / answers.len().max(1) as f64;
    }
    (sum / sorted.len().max(1) as f64).sqrt()
}

/// The area under the response rate accuracy curve: the mean over n of the accuracy of the n most
/// confident answers. 0 without answers.
pub fn aurra(answers: &[Answer]) -> f64 {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));

    let (mut hits, mut sum) = (0.0, 0.0);
    for (answer, n) in sorted.iter().zip(1..) {
        hits += right(answer);
        sum += hits / f64::from(n);
    }
    sum / sorted.len().max(1) as f64
}

fn right(answer: &Answer) -> f64 {
    f64::from(u8::from(answer.is_right))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::test;

    const FIXTURE: &str = include_str!("../../../tests/fixtures/eval/robustness.json");

    #[derive(Deserialize)]
    struct Fixture {
        calibration: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        confidence: Vec<f64>,
        right: Vec<bool>,
        all: f64,
        all_but_last: f64,
        aurra: f64,
    }

    #[test]
    fn errors_and_areas_match_numpy() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        let sizes: Vec<usize> = fixture.calibration.iter().map(|c| c.right.len()).collect();
        assert!(sizes.contains(&1050) && sizes.contains(&60), "{sizes:?}");
        for case in fixture.calibration {
            let pairs = case.confidence.iter().zip(&case.right);
            let answers: Vec<Answer> = pairs
                .map(|(confidence, right)| Answer {
                    confidence: *confidence,
                    is_right: *right,
                })
                .collect();
            for (found, expected) in [
                (rms_calibration_error(&answers, Bins::All), case.all),
                (
                    rms_calibration_error(&answers, Bins::AllButLast),
                    case.all_but_last,
                ),
                (aurra(&answers), case.aurra),
            ] {
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{found}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn no_answers_are_no_panic() {
        assert_eq!(rms_calibration_error(&[], Bins::All), 0.0);
        assert_eq!(rms_calibration_error(&[], Bins::AllButLast), 0.0);
        assert_eq!(aurra(&[]), 0.0);
    }
}
