//! Panels in rows under a title, with a color bar beside them and a legend below: the layout of
//! every figure.

mod bar;
mod legend;
mod panel;
mod spacing;

pub use bar::ColorBar;
use ibot_core::grid::Rect;
use ibot_core::image::RgbImage;
pub use legend::LegendKey;
pub use panel::{Panel, SheetRow, wrap};

use self::legend::Legend;
use self::spacing::{GAP, GUTTER, MARGIN, TEXT_GAP};
use super::canvas::text::{Align, TextStyle};
use super::canvas::{FRAME, Page};

#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// Its title; empty for none.
    pub title: String,
    /// A remark under the title; empty for none.
    pub note: String,
    pub rows: Vec<SheetRow>,
    pub bar: Option<ColorBar>,
    /// The meaning of further colors.
    pub legend: Vec<LegendKey>,
}

/// A figure, and where its images lie on it.
#[derive(Clone, Debug)]
pub struct DrawnSheet {
    pub canvas: Page,
    /// For each panel, row by row, the places of its images.
    pub places: Vec<Vec<Rect>>,
}

// Narrower columns would have no room for titles.
const NARROWEST: usize = 64;
/// A figure is widened up to this for its title.
const WIDEST_TITLE: usize = 900;

struct Band {
    /// Where its images begin.
    images: usize,
    /// Where it ends, captions included.
    bottom: usize,
}

impl Sheet {
    pub fn into_image(self) -> RgbImage {
        self.draw().canvas.into_image()
    }

    /// Draws the figure, for more to be drawn on its images.
    pub fn draw(&self) -> DrawnSheet {
        let columns = self.column_widths();
        // A gutter between columns, and none behind the last, if there is one.
        let grid_width =
            (columns.iter().sum::<usize>() + columns.len() * GUTTER).saturating_sub(GUTTER);
        let bar_width = self.bar.as_ref().map_or(0, |bar| GAP + bar.width());
        let width = (grid_width + bar_width).max(self.header_width());

        let bands = self.bands();
        let (first, grid_bottom) = match (bands.first(), bands.last()) {
            (Some(first), Some(last)) => (first.images, last.bottom),
            _ => (MARGIN + self.header_height(), MARGIN + self.header_height()),
        };
        let bar_bottom = self.bar.as_ref().map_or(0, |_| first + ColorBar::HEIGHT);
        let bottom = grid_bottom.max(bar_bottom);
        let legend = Legend::new(&self.legend, width);

        let mut canvas = Page::new(width + 2 * MARGIN, bottom + legend.height() + MARGIN);
        self.draw_header(&mut canvas, width);
        let mut places = Vec::new();
        for (row, band) in self.rows.iter().zip(&bands) {
            places.extend(draw_row(&mut canvas, row, band, &columns));
        }
        if let Some(bar) = &self.bar {
            bar.draw(&mut canvas, (MARGIN + grid_width + GAP, first));
        }
        legend.draw(&mut canvas, bottom);
        DrawnSheet { canvas, places }
    }

    fn column_widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            for (column, panel) in row.panels.iter().enumerate() {
                if column == widths.len() {
                    widths.push(NARROWEST);
                }
                widths[column] = panel.width().max(widths[column]);
            }
        }
        widths
    }

    fn header_width(&self) -> usize {
        let title = TextStyle::HEAD.width(&self.title);
        let note = TextStyle::NOTE.width(&self.note);
        title.max(note).min(WIDEST_TITLE)
    }

    fn header_height(&self) -> usize {
        let title = text_height(&self.title, TextStyle::HEAD);
        let note = text_height(&self.note, TextStyle::NOTE);
        match title + note {
            0 => 0,
            lines => lines + GAP - 2 * TEXT_GAP,
        }
    }

    fn draw_header(&self, canvas: &mut Page, width: usize) {
        let mut top = MARGIN;
        for (text, style) in [
            (&self.title, TextStyle::HEAD),
            (&self.note, TextStyle::NOTE),
        ] {
            canvas.text(MARGIN, top, &style.shorten(text, width), style, Align::Left);
            top += text_height(text, style);
        }
    }

    fn bands(&self) -> Vec<Band> {
        let mut bands = Vec::with_capacity(self.rows.len());
        let mut top = MARGIN + self.header_height();
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                top += if row.joined { GUTTER } else { GAP };
            }
            let images = top + row.text_height(|panel| &panel.title, TextStyle::TITLE);
            let captions = row.text_height(|panel| &panel.caption, TextStyle::NOTE);
            top = images + row.image_height() + captions;
            bands.push(Band {
                images,
                bottom: top,
            });
        }
        bands
    }
}

/// Height of a line with the gap below it; none without a text.
fn text_height(text: &str, style: TextStyle) -> usize {
    if text.is_empty() {
        0
    } else {
        style.height() + TEXT_GAP
    }
}

/// Draws the panels of a row and returns the places of their images.
fn draw_row(canvas: &mut Page, row: &SheetRow, band: &Band, columns: &[usize]) -> Vec<Vec<Rect>> {
    let mut places = Vec::with_capacity(row.panels.len());
    let mut left = MARGIN;
    for (panel, width) in row.panels.iter().zip(columns) {
        places.push(draw_images(canvas, panel, (left, band.images)));

        let title = TextStyle::TITLE.shorten(&panel.title, *width);
        // A row without titles has no room above its images.
        let above = band
            .images
            .saturating_sub(TextStyle::TITLE.height() + TEXT_GAP);
        canvas.text(left, above, &title, TextStyle::TITLE, Align::Left);

        let caption = TextStyle::NOTE.shorten(&panel.caption, *width);
        let below = band.images + panel.height() + TEXT_GAP;
        canvas.text(left, below, &caption, TextStyle::NOTE, Align::Left);
        left += width + GUTTER;
    }
    places
}

/// Draws the images of a panel below each other and returns their places.
fn draw_images(canvas: &mut Page, panel: &Panel, (left, mut top): (usize, usize)) -> Vec<Rect> {
    let mut places = Vec::with_capacity(panel.images.len());
    for image in &panel.images {
        let place = Rect {
            left,
            top,
            width: image.width(),
            height: image.height(),
        };
        // Around the image, so that its outer pixels are seen.
        let around = Rect {
            left: left - 1,
            top: top - 1,
            width: place.width + 2,
            height: place.height + 2,
        };
        canvas.frame(around, 1, FRAME);
        canvas.image(left, top, image);
        places.push(place);
        top += place.height + GUTTER;
    }
    places
}

#[cfg(test)]
mod tests;
