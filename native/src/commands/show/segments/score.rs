//! Segments against labels of pixels.

use anyhow::Result;
use ibot_core::annotation::labels::LabelMap;
use ibot_core::grid::PatchGeometry;
use ibot_core::metrics::contingency::Contingency;
use serde::Serialize;

use super::method::Method;
use super::segmented::Segmented;

/// Gray value of label pictures that is left out of the score (the border of PASCAL VOC).
const IGNORED: usize = 255;

/// Intersection over union after Hungarian matching of segments and labels, over pixels.
#[derive(Debug, Serialize)]
pub(super) struct Score {
    /// Number of images with labels.
    pub images: usize,
    pub mean_iou: f64,
    /// Share of pixels; only where all images are matched together.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    /// Label and value; only where all images are matched together.
    #[serde(skip_serializing_if = "Option::is_none")]
    ious: Option<Vec<(usize, f64)>>,
    /// Mean of each image; only where each is matched by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<Vec<f64>>,
}

// With two segments, labels are no more than object against background.
pub(super) fn binary(truth: &LabelMap) -> Result<LabelMap> {
    let mut labels = truth.cells().to_vec();
    for label in &mut labels {
        if *label != IGNORED {
            *label = usize::from(*label != 0);
        }
    }
    Ok(LabelMap::new(truth.rows(), truth.columns(), labels)?)
}

/// `None` without labels.
pub(super) fn score(method: Method, results: &[Segmented]) -> Result<Option<Score>> {
    let mut predicted = Vec::new();
    let mut truths = Vec::new();
    for result in results {
        let Some(truth) = &result.truth else { continue };
        let (rows, columns) = (result.patches.rows(), result.patches.columns());
        let geometry = PatchGeometry::new(truth.columns(), truth.rows(), rows, columns)?;
        // Scored at the size of the labels: smaller ones would lose thin objects.
        predicted.push(geometry.enlarge(&result.segments)?);
        truths.push(truth.cells());
    }
    if truths.is_empty() {
        return Ok(None);
    }

    let images = truths.len();
    Ok(Some(match method {
        // A segment means the same in all images.
        Method::Kmeans => {
            let table = Contingency::new(&predicted.concat(), &truths.concat(), Some(IGNORED))?;
            let matched = table.matched();
            Score {
                images,
                mean_iou: matched.mean_iou,
                accuracy: Some(matched.accuracy),
                ious: Some(matched.ious),
                each: None,
            }
        }
        // Each image by itself: segments of different images have nothing in common.
        Method::Ncut => {
            let mut each = Vec::with_capacity(images);
            for (predicted, truth) in predicted.iter().zip(truths) {
                let table = Contingency::new(predicted, truth, Some(IGNORED))?;
                each.push(table.matched().mean_iou);
            }
            Score {
                images,
                mean_iou: each.iter().sum::<f64>() / images as f64,
                accuracy: None,
                ious: None,
                each: Some(each),
            }
        }
    }))
}
