//! What each head attends to.

use ibot_core::grid::GridRef;
use ibot_core::image::RgbImage;
use ibot_core::picture::{ColorScale, Heatmap, Interpolation, MaskOverlay, Range, gray};

use super::fit::panel_image;
use crate::report::sheet::{Panel, Sheet, wrap};

/// The attention of one head, or the mean of several.
#[derive(Clone, Debug)]
pub struct AttentionMap<'a> {
    /// Such as "head 3" or "mean".
    pub title: String,
    pub weights: GridRef<'a, f32>,
    /// The patches that hold most of the weight.
    pub mask: Option<GridRef<'a, bool>>,
}

/// Panels beside each other.
const MOST_COLUMNS: usize = 8;
const CONTOUR: [u8; 3] = [255, 190, 40];

/// Draws `image`, each map over it on a scale of its own, from its smallest to its largest weight,
/// and below it its mask. `share` is how much of the weight the masks hold, 0 to 1, for the remark.
pub fn attention(image: &RgbImage, maps: &[AttentionMap], share: Option<f32>) -> RgbImage {
    let original = panel_image(image);
    let quiet = gray(&original);
    let mask_style = MaskOverlay {
        color: CONTOUR,
        alpha: 0.15,
        shade: 0.6,
    };

    let mut panels = vec![Panel::new("image", vec![original.clone()])];
    for map in maps {
        let heatmap = Heatmap {
            range: Range::of(map.weights.cells()),
            scale: ColorScale::Inferno,
            interpolation: Interpolation::Nearest,
            alpha: 0.75,
        };
        let mut images = vec![heatmap.draw(&quiet, map.weights)];
        if let Some(mask) = map.mask {
            images.push(mask_style.draw(&original, mask));
        }
        panels.push(Panel::new(&map.title, images));
    }

    let mut note = "each map from its smallest weight (dark) to its largest (bright)".to_owned();
    let has_masks = maps.iter().any(|map| map.mask.is_some());
    if let Some(share) = share.filter(|_| has_masks) {
        note += &format!("; contours hold {:.0} % of the weight", share * 100.0);
    }
    Sheet {
        title: "Self-attention of the CLS token".to_owned(),
        note,
        rows: wrap(panels, MOST_COLUMNS),
        ..Sheet::default()
    }
    .into_image()
}
