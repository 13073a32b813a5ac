//! Principal components of patch tokens as colors.

use ibot_core::grid::GridRef;
use ibot_core::image::RgbImage;
use ibot_core::picture::rgb_map;

use super::fit::panel_image;
use crate::report::sheet::{Panel, Sheet, wrap};

#[derive(Clone, Debug)]
pub struct PcaImage<'a> {
    pub image: &'a RgbImage,
    /// The first three components of each patch, scaled to 0 to 1 for all images alike.
    pub colors: GridRef<'a, [f32; 3]>,
    /// The patches that are shown; all without it.
    pub foreground: Option<GridRef<'a, bool>>,
}

/// What does not belong to the foreground.
const BACKGROUND: [u8; 3] = [24, 24, 28];

/// Draws each image above its colors, at most `columns` in a row.
pub fn pca(images: &[PcaImage], columns: usize) -> RgbImage {
    let mut panels = Vec::with_capacity(images.len());
    for item in images {
        let image = panel_image(item.image);
        let size = (image.width(), image.height());
        let map = rgb_map(size, item.colors, item.foreground, BACKGROUND);
        panels.push(Panel::new("", vec![image, map]));
    }

    Sheet {
        title: "Principal components of patch tokens".to_owned(),
        note: "components 1, 2, 3 as red, green, blue".to_owned(),
        rows: wrap(panels, columns),
        ..Sheet::default()
    }
    .into_image()
}
