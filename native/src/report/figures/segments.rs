//! Predicted segments beside the true ones.

use ibot_core::annotation::labels::IGNORED;
use ibot_core::grid::GridRef;
use ibot_core::image::RgbImage;
use ibot_core::picture::LabelOverlay;

use super::fit::fitted;
use crate::report::sheet::{Panel, Sheet, SheetRow};

/// An image with its label maps. A map may be as fine as the image.
#[derive(Clone, Debug)]
pub struct SegmentRow<'a> {
    pub image: &'a RgbImage,
    pub prediction: GridRef<'a, usize>,
    /// The true segments, where they are known.
    pub truth: Option<GridRef<'a, usize>>,
}

/// The side of the square that an image fills.
const SIDE: usize = 320;

/// Draws a row for each image: the image, the prediction over it and the truth over it.
pub fn segments(images: &[SegmentRow]) -> RgbImage {
    let style = LabelOverlay {
        unpainted: Some(IGNORED),
        ..LabelOverlay::default()
    };
    let has_truth = images.iter().any(|row| row.truth.is_some());
    let mut sheet = Sheet::default();
    for row in images {
        let image = fitted(row.image, (SIDE, SIDE));
        let prediction = style.draw(&image, row.prediction);
        let truth = row.truth.map(|truth| style.draw(&image, truth));

        let mut panels = vec![
            Panel::new("image", vec![image]),
            Panel::new("prediction", vec![prediction]),
        ];
        if has_truth {
            panels.push(Panel::new("ground truth", truth.into_iter().collect()));
        }
        if !sheet.rows.is_empty() {
            panels.iter_mut().for_each(|panel| panel.title.clear());
        }
        sheet.rows.push(SheetRow {
            panels,
            joined: true,
        });
    }
    sheet.into_image()
}
