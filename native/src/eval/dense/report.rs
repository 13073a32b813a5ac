//! What is said of a segmentation: measures, and a table for people.

use ibot_core::annotation::labels::LabelMap;
use ibot_core::metrics::Confusion;
use ibot_core::metrics::segmentation::SegmentationScore;

use crate::eval::measures::Measures;
use crate::eval::task::{Curve, Unit};

/// The quoted measure.
pub const MEAN_IOU: &str = "mean_iou";
const ACCURACY: &str = "pixel_accuracy";
/// Measures of classes are `iou_` and the name.
const OF_CLASS: &str = "iou_";

/// How a measure of a segmentation is drawn; those of single classes are not.
pub fn curve(measure: &str) -> Option<Curve> {
    let quantity = match measure {
        MEAN_IOU => "mean IoU",
        ACCURACY => "pixel accuracy",
        _ => return None,
    };
    Some(Curve {
        quantity,
        unit: Unit::Share,
        label: String::new(),
    })
}

/// Pixels of classes and what they were taken for.
pub struct Segmentation<'a> {
    names: &'a [String],
    confusion: Confusion,
}

impl<'a> Segmentation<'a> {
    pub fn new(names: &'a [String]) -> Self {
        Self {
            names,
            confusion: Confusion::new(names.len(), []),
        }
    }

    /// Counts the pixels of an image, two maps of one size.
    pub fn add(&mut self, truth: &LabelMap, found: &LabelMap) {
        for (truth, found) in truth.cells().iter().zip(found.cells()) {
            self.confusion.add(*truth, *found);
        }
    }

    pub fn score(&self) -> SegmentationScore {
        SegmentationScore::of(&self.confusion)
    }

    /// The mean and that of each class that occurs.
    pub fn measures(&self) -> Measures {
        let score = self.score();
        let mut measures = Measures::default();
        measures.push(MEAN_IOU.to_owned(), score.mean_iou);
        measures.push(ACCURACY.to_owned(), score.pixel_accuracy);
        for (name, iou) in self.names.iter().zip(score.iou) {
            if let Some(iou) = iou {
                measures.push(format!("{OF_CLASS}{name}"), iou);
            }
        }
        measures
    }

    /// A row for each class that occurs.
    pub fn table(&self) -> String {
        let score = self.score();
        let occurring = score.iou.iter().flatten().count();
        let mut table = format!(
            "mean IoU {:.1} %, pixel accuracy {:.1} %; {occurring} of {} classes occur\n\n   IoU   pixels   class",
            100.0 * score.mean_iou,
            100.0 * score.pixel_accuracy,
            self.names.len()
        );
        let mut pixels = Vec::with_capacity(self.names.len());
        for class in 0..self.names.len() {
            pixels.push(self.confusion.row(class).iter().sum::<usize>());
        }
        let all: usize = pixels.iter().sum();
        for (class, name) in self.names.iter().enumerate() {
            if let Some(iou) = score.iou[class] {
                let share = 100.0 * pixels[class] as f64 / all.max(1) as f64;
                table += &format!("\n{:5.1} %  {share:5.1} %  {name}", 100.0 * iou);
            }
        }
        table
    }
}
