//! Predicted parts beside the true ones.

use std::collections::BTreeSet;

use ibot_core::image::RgbImage;
use ibot_core::picture::{Labels, PatchGrid, colormap};

use super::fitted;
use crate::report::sheet::{Key, Panel, Row, Sheet};

/// An image with its label maps. A map may be as fine as the image.
#[derive(Clone, Debug)]
pub struct SegmentRow<'a> {
    /// The image.
    pub image: &'a RgbImage,
    /// What was predicted.
    pub prediction: PatchGrid<'a, usize>,
    /// What is true, where that is known.
    pub truth: Option<PatchGrid<'a, usize>>,
}

/// The side of the square that an image fills.
const SIDE: usize = 320;
/// A legend with more entries would say less than it takes.
const MOST_KEYS: usize = 40;

/// Draws a row for each image: the image, the prediction over it and the truth over it. `names` are
/// those of the labels, and `unpainted` is the label that stays without color.
pub fn segment(images: &[SegmentRow], names: &[&str], unpainted: Option<usize>) -> RgbImage {
    let style = Labels {
        unpainted,
        ..Labels::default()
    };
    let rows = images.iter().enumerate().map(|(index, row)| {
        let image = fitted(row.image, (SIDE, SIDE));
        let panel = |title: &str, images| Panel::new(if index == 0 { title } else { "" }, images);
        let mut panels = vec![
            panel("image", vec![image.clone()]),
            panel("prediction", vec![style.draw(&image, row.prediction)]),
        ];
        if images.iter().any(|row| row.truth.is_some()) {
            panels.push(panel(
                "ground truth",
                row.truth
                    .iter()
                    .map(|truth| style.draw(&image, *truth))
                    .collect(),
            ));
        }
        Row {
            panels,
            joined: true,
        }
    });
    let rows = rows.collect();
    let maps = images
        .iter()
        .flat_map(|row| [Some(row.prediction), row.truth])
        .flatten();
    let shown: BTreeSet<usize> = maps.flat_map(|map| map.cells().iter().copied()).collect();
    let legend = shown
        .into_iter()
        .filter(|label| Some(*label) != unpainted)
        .filter_map(|label| {
            Some(Key {
                color: colormap::category(label),
                label: (*names.get(label)?).to_owned(),
            })
        })
        .take(MOST_KEYS)
        .collect();
    Sheet {
        rows,
        legend,
        ..Sheet::default()
    }
    .draw()
    .canvas
    .into_image()
}
