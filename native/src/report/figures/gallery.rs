//! Photographs in rows, with a few words each.

use ibot_core::image::RgbImage;

use super::fit::fitted;
use crate::report::sheet::{Panel, Sheet, SheetRow};

/// The side of the square that a photograph fills.
const SIDE: usize = 160;

#[derive(Clone, Debug)]
pub struct GalleryImage {
    /// What is shown; an empty place without it.
    pub image: Option<RgbImage>,
    /// Written above it.
    pub title: String,
    /// Written below it.
    pub caption: String,
}

/// Draws a row for each of `rows`.
pub fn gallery(title: &str, note: &str, rows: Vec<Vec<GalleryImage>>) -> RgbImage {
    let mut sheet = Sheet {
        title: title.to_owned(),
        note: note.to_owned(),
        ..Sheet::default()
    };
    for row in rows {
        let mut panels = Vec::with_capacity(row.len());
        for shown in row {
            let image = shown.image.map(|image| fitted(&image, (SIDE, SIDE)));
            panels.push(Panel {
                images: image.into_iter().collect(),
                title: shown.title,
                caption: shown.caption,
            });
        }
        sheet.rows.push(SheetRow {
            panels,
            joined: false,
        });
    }
    sheet.into_image()
}
