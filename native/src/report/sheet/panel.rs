//! Panels, and rows of them.

use ibot_core::image::RgbImage;

use super::spacing::{GUTTER, TEXT_GAP};
use crate::report::canvas::text::TextStyle;

/// Images below each other with their texts. Empty texts take no room if no other panel of the row
/// has one either.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// Each is shown at its own size. Without images the place stays empty.
    pub images: Vec<RgbImage>,
    /// Written above them.
    pub title: String,
    /// Written below them.
    pub caption: String,
}

/// Panels beside each other, their upper edges in line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SheetRow {
    pub panels: Vec<Panel>,
    /// Whether it continues the row above, and so stands close to it.
    pub joined: bool,
}

impl Panel {
    pub fn new(title: impl Into<String>, images: Vec<RgbImage>) -> Self {
        Self {
            images,
            title: title.into(),
            caption: String::new(),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.images.iter().map(RgbImage::width).max().unwrap_or(0)
    }

    pub(super) fn height(&self) -> usize {
        let images: usize = self.images.iter().map(|i| i.height() + GUTTER).sum();
        images.saturating_sub(GUTTER)
    }
}

impl SheetRow {
    pub(super) fn image_height(&self) -> usize {
        self.panels.iter().map(Panel::height).max().unwrap_or(0)
    }

    /// Height of a line of texts with the gap beside it, if any panel has such a text.
    pub(super) fn text_height(&self, text: fn(&Panel) -> &String, style: TextStyle) -> usize {
        if self.panels.iter().all(|panel| text(panel).is_empty()) {
            return 0;
        }
        style.height() + TEXT_GAP
    }
}

/// Breaks `panels` into rows of equal length, at most `most` long.
pub fn wrap(panels: Vec<Panel>, most: usize) -> Vec<SheetRow> {
    let rows = panels.len().div_ceil(most.max(1)).max(1);
    let columns = panels.len().div_ceil(rows).max(1);
    panels
        .chunks(columns)
        .map(|panels| SheetRow {
            panels: panels.to_vec(),
            joined: false,
        })
        .collect()
}
