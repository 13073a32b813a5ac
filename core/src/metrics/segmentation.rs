//! How well the class of each pixel is found.

use super::Confusion;

/// What a confusion of pixels says of a segmentation.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentationScore {
    /// Intersection over union of each class; `None` for a class that is neither in the truth nor in
    /// the predictions.
    pub iou: Vec<Option<f64>>,
    /// The mean over the classes that occur; 0 if none does.
    pub mean_iou: f64,
    /// Share of the pixels whose class was found; 0 without pixels.
    pub pixel_accuracy: f64,
}

impl SegmentationScore {
    /// The score of pixels that were counted in `confusion`. Pixels that are
    /// [ignored](crate::annotation::labels::IGNORED) are beyond all classes, so that it left them
    /// out.
    pub fn of(confusion: &Confusion) -> Self {
        let iou = confusion.iou();
        let mut sum = 0.0;
        let mut count = 0;
        for share in iou.iter().flatten() {
            sum += share;
            count += 1;
        }
        Self {
            iou,
            mean_iou: sum / f64::from(count.max(1)),
            pixel_accuracy: confusion.accuracy().unwrap_or(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::annotation::labels::IGNORED;
    use crate::testing::test;

    /// What scripts/make_eval_segmentation_fixtures.py wrote.
    const FIXTURE: &str = include_str!("../../../tests/fixtures/eval/segmentation.json");

    #[derive(Deserialize)]
    struct Fixture {
        scores: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        classes: usize,
        ignored: usize,
        truth: Vec<usize>,
        predicted: Vec<usize>,
        confusion: Vec<Vec<usize>>,
        iou: Vec<Option<f64>>,
        mean_iou: f64,
        pixel_accuracy: f64,
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the fixture");
        assert!(fixture.scores.len() >= 3);
        for case in fixture.scores {
            let name = &case.name;
            let mut confusion = Confusion::new(case.classes, []);
            for (truth, predicted) in case.truth.iter().zip(&case.predicted) {
                let is_ignored = *truth == case.ignored;
                confusion.add(if is_ignored { IGNORED } else { *truth }, *predicted);
            }
            for (truth, row) in case.confusion.iter().enumerate() {
                assert_eq!(confusion.row(truth), row, "{name}");
            }

            let score = SegmentationScore::of(&confusion);
            for (found, expected) in score.iou.iter().zip(&case.iou) {
                assert_eq!(found.is_some(), expected.is_some(), "{name}");
                let difference = found.unwrap_or(0.0) - expected.unwrap_or(0.0);
                assert!(difference.abs() < 1e-12, "{name}");
            }
            assert!((score.mean_iou - case.mean_iou).abs() < 1e-12, "{name}");
            let difference = score.pixel_accuracy - case.pixel_accuracy;
            assert!(difference.abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn without_pixels_there_is_no_share() {
        let score = SegmentationScore::of(&Confusion::new(2, [(IGNORED, 1)]));
        assert_eq!(score.iou, [None, None]);
        assert_eq!((score.mean_iou, score.pixel_accuracy), (0.0, 0.0));
    }
}
