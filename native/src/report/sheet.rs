//! Panels in rows under a title, with a color bar beside them and a legend below: the layout of
//! every figure.

mod bar;

pub use bar::ColorBar;
use ibot_core::image::RgbImage;
use ibot_core::picture::Rect;

use super::canvas::text::{Align, Style};
use super::canvas::{Canvas, FRAME};

/// Images below each other with their texts. Empty texts take no room if no other panel of the row
/// has one either.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What is shown, each at its own size. Without images the place stays empty.
    pub images: Vec<RgbImage>,
    /// Written above them.
    pub title: String,
    /// Written below them.
    pub caption: String,
}

impl Panel {
    /// Images under a title.
    pub fn new(title: impl Into<String>, images: Vec<RgbImage>) -> Self {
        Self {
            images,
            title: title.into(),
            caption: String::new(),
        }
    }

    fn width(&self) -> usize {
        self.images.iter().map(RgbImage::width).max().unwrap_or(0)
    }

    fn height(&self) -> usize {
        let images: usize = self
            .images
            .iter()
            .map(|image| image.height() + GUTTER)
            .sum();
        images.saturating_sub(GUTTER)
    }
}

/// Panels beside each other, their upper edges in line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// From left to right.
    pub panels: Vec<Panel>,
    /// Whether it goes on with what the row above it shows, and so stands close to it.
    pub joined: bool,
}

/// Breaks `panels` into rows of equal length, at most `most` long.
pub fn wrap(panels: Vec<Panel>, most: usize) -> Vec<Row> {
    let rows = panels.len().div_ceil(most.max(1)).max(1);
    let columns = panels.len().div_ceil(rows).max(1);
    panels
        .chunks(columns)
        .map(|panels| Row {
            panels: panels.to_vec(),
            joined: false,
        })
        .collect()
}

/// What a color means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The color.
    pub color: [u8; 3],
    /// Its meaning.
    pub label: String,
}

/// A figure that is not drawn yet.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// Its title; empty for none.
    pub title: String,
    /// A remark under the title; empty for none.
    pub note: String,
    /// The panels.
    pub rows: Vec<Row>,
    /// The scale of their colors.
    pub bar: Option<ColorBar>,
    /// The meaning of further colors.
    pub legend: Vec<Key>,
}

/// A figure, and where its images lie on it.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The figure.
    pub canvas: Canvas,
    /// For each panel, row by row, the places of its images.
    pub places: Vec<Vec<Rect>>,
}

const MARGIN: usize = 32;
/// Between images of a row or a panel, and between a row and one joined to it.
const GUTTER: usize = 10;
/// Between other rows, and between parts of the figure.
const GAP: usize = 26;
/// Between a text and what it belongs to.
const TEXT_GAP: usize = 6;
/// Narrower columns would have no room for titles.
const NARROWEST: usize = 64;
/// A figure is widened up to this for its title.
const TITLE_ROOM: usize = 900;
const SWATCH: usize = 16;

impl Sheet {
    /// Draws everything.
    pub fn draw(&self) -> Drawn {
        let columns = self.column_widths();
        let grid_width =
            (columns.iter().sum::<usize>() + columns.len() * GUTTER).saturating_sub(GUTTER);
        let bar_width = self.bar.as_ref().map_or(0, |bar| GAP + bar.width());
        let head_width = Style::HEAD
            .width(&self.title)
            .max(Style::NOTE.width(&self.note))
            .min(TITLE_ROOM);
        let width = (grid_width + bar_width).max(head_width);
        let legend = self.legend_rows(width);

        let header = self.header_height();
        let bands: Vec<Band> = self.bands(MARGIN + header);
        let grid_bottom = bands.last().map_or(MARGIN + header, |band| band.bottom);
        let first = bands.first().map_or(grid_bottom, |band| band.images);
        let bar_bottom = self.bar.as_ref().map_or(0, |_| first + ColorBar::HEIGHT);
        let bottom = grid_bottom.max(bar_bottom);
        let legend_height = if legend.is_empty() {
            0
        } else {
            GAP + legend.len() * (SWATCH + TEXT_GAP) - TEXT_GAP
        };

        let mut canvas = Canvas::new(width + 2 * MARGIN, bottom + legend_height + MARGIN);
        self.draw_header(&mut canvas, width);
        let places = self
            .rows
            .iter()
            .zip(&bands)
            .flat_map(|(row, band)| draw_row(&mut canvas, row, band, &columns))
            .collect();
        if let Some(bar) = &self.bar {
            bar.draw(&mut canvas, (MARGIN + grid_width + GAP, first));
        }
        for (index, keys) in legend.iter().enumerate() {
            let top = bottom + GAP + index * (SWATCH + TEXT_GAP);
            for (x, key) in keys {
                let swatch = Rect {
                    left: MARGIN + x,
                    top,
                    width: SWATCH,
                    height: SWATCH,
                };
                canvas.fill(swatch, key.color);
                canvas.frame(swatch, 1, FRAME);
                let text =
                    Style::NOTE.shorten(&key.label, width.saturating_sub(x + SWATCH + TEXT_GAP));
                canvas.text(
                    swatch.right() + TEXT_GAP,
                    top,
                    &text,
                    Style::NOTE,
                    Align::Left,
                );
            }
        }
        Drawn { canvas, places }
    }

    /// The widest panel of each column.
    fn column_widths(&self) -> Vec<usize> {
        let columns = self
            .rows
            .iter()
            .map(|row| row.panels.len())
            .max()
            .unwrap_or(0);
        let widest = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.panels.get(column))
                .map(Panel::width)
                .fold(NARROWEST, usize::max)
        };
        (0..columns).map(widest).collect()
    }

    fn header_height(&self) -> usize {
        let line = |text: &str, style: Style| {
            if text.is_empty() {
                0
            } else {
                style.height() + TEXT_GAP
            }
        };
        let lines = line(&self.title, Style::HEAD) + line(&self.note, Style::NOTE);
        if lines == 0 {
            0
        } else {
            lines + GAP - 2 * TEXT_GAP
        }
    }

    fn draw_header(&self, canvas: &mut Canvas, width: usize) {
        let mut top = MARGIN;
        for (text, style) in [(&self.title, Style::HEAD), (&self.note, Style::NOTE)] {
            if !text.is_empty() {
                canvas.text(MARGIN, top, &style.shorten(text, width), style, Align::Left);
                top += style.height() + TEXT_GAP;
            }
        }
    }

    fn bands(&self, mut top: usize) -> Vec<Band> {
        let mut bands = Vec::with_capacity(self.rows.len());
        for (index, row) in self.rows.iter().enumerate() {
            let panels = || row.panels.iter();
            let room = |any: bool, style: Style| if any { style.height() + TEXT_GAP } else { 0 };
            let gap = if row.joined { GUTTER } else { GAP };
            let images = top
                + if index == 0 { 0 } else { gap }
                + room(panels().any(|panel| !panel.title.is_empty()), Style::TITLE);
            let height = panels().map(Panel::height).max().unwrap_or(0);
            let captions = room(panels().any(|panel| !panel.caption.is_empty()), Style::NOTE);
            top = images + height + captions;
            bands.push(Band {
                images,
                bottom: top,
            });
        }
        bands
    }

    /// The keys of each line of the legend with their distance from the left.
    fn legend_rows(&self, width: usize) -> Vec<Vec<(usize, &Key)>> {
        let mut rows: Vec<Vec<(usize, &Key)>> = Vec::new();
        let mut x = 0;
        for key in &self.legend {
            let length = SWATCH + TEXT_GAP + Style::NOTE.width(&key.label);
            match rows.last_mut().filter(|_| x + length <= width) {
                Some(row) => row.push((x, key)),
                None => {
                    x = 0;
                    rows.push(vec![(0, key)]);
                }
            }
            x += length + GAP;
        }
        rows
    }
}

/// The vertical place of a row.
struct Band {
    /// Where its images begin.
    images: usize,
    /// Where it ends, captions included.
    bottom: usize,
}

/// Draws the panels of a row and returns the places of their images.
fn draw_row(canvas: &mut Canvas, row: &Row, band: &Band, columns: &[usize]) -> Vec<Vec<Rect>> {
    let mut left = MARGIN;
    let mut places = Vec::with_capacity(row.panels.len());
    for (panel, column) in row.panels.iter().zip(columns) {
        let mut top = band.images;
        let stacked = panel.images.iter().map(|image| {
            let place = Rect {
                left,
                top,
                width: image.width(),
                height: image.height(),
            };
            let around = Rect {
                left: left - 1,
                top: top - 1,
                width: place.width + 2,
                height: place.height + 2,
            };
            canvas.frame(around, 1, FRAME);
            canvas.image(left, top, image);
            top += place.height + GUTTER;
            place
        });
        places.push(stacked.collect());
        if !panel.title.is_empty() {
            let above = band.images - Style::TITLE.height() - TEXT_GAP;
            canvas.text(
                left,
                above,
                &Style::TITLE.shorten(&panel.title, *column),
                Style::TITLE,
                Align::Left,
            );
        }
        let below = band.images + panel.height() + TEXT_GAP;
        canvas.text(
            left,
            below,
            &Style::NOTE.shorten(&panel.caption, *column),
            Style::NOTE,
            Align::Left,
        );
        left += column + GUTTER;
    }
    places
}

#[cfg(test)]
mod tests {
    use ibot_core::picture::{ColorScale, Range};

    use super::*;

    fn plain(width: usize, height: usize, color: [u8; 3]) -> RgbImage {
        RgbImage::from_fn(width, height, |_, _| color)
    }

    #[test]
    fn images_lie_in_rows_columns_and_stacks() {
        let (red, green) = ([200, 0, 0], [0, 200, 0]);
        let stack = Panel::new("", vec![plain(100, 80, red), plain(90, 60, green)]);
        let first = Row {
            panels: vec![Panel::default(), stack],
            joined: false,
        };
        let second = Row {
            panels: vec![Panel::new("", vec![plain(70, 70, red)])],
            joined: true,
        };
        let Drawn { canvas, places } = Sheet {
            rows: vec![first, second],
            ..Sheet::default()
        }
        .draw();
        let place = |left, top, width, height| Rect {
            left,
            top,
            width,
            height,
        };
        let (right, below) = (MARGIN + 70 + GUTTER, MARGIN + 80 + GUTTER);
        assert_eq!(
            places[..2],
            [
                vec![],
                vec![place(right, MARGIN, 100, 80), place(right, below, 90, 60)]
            ]
        );
        assert_eq!(places[2], [place(MARGIN, below + 60 + GUTTER, 70, 70)]);
        let image = canvas.into_image();
        assert_eq!(image.width(), 2 * MARGIN + 70 + GUTTER + 100);
        assert_eq!(image.height(), 2 * MARGIN + 80 + GUTTER + 60 + GUTTER + 70);
        let count = |color: [u8; 3]| {
            image
                .pixels()
                .chunks(3)
                .filter(|pixel| *pixel == color)
                .count()
        };
        assert_eq!((count(red), count(green)), (100 * 80 + 70 * 70, 90 * 60));
    }

    #[test]
    fn texts_make_room_for_themselves() {
        let bare = Panel::new("", vec![plain(300, 50, [9; 3])]);
        let titled = Panel {
            title: "title".to_owned(),
            caption: "caption".to_owned(),
            ..bare.clone()
        };
        let height = |panel: &Panel| {
            let rows = vec![Row {
                panels: vec![panel.clone()],
                joined: false,
            }];
            Sheet {
                rows,
                ..Sheet::default()
            }
            .draw()
            .canvas
            .into_image()
            .height()
        };
        let texts = Style::TITLE.height() + Style::NOTE.height() + 2 * TEXT_GAP;
        assert_eq!(height(&titled), height(&bare) + texts);
    }

    #[test]
    fn rows_are_of_equal_length() {
        let lengths = |count: usize, most: usize| -> Vec<usize> {
            wrap(vec![Panel::default(); count], most)
                .iter()
                .map(|row| row.panels.len())
                .collect()
        };
        assert_eq!(lengths(14, 8), [7, 7]);
        assert_eq!(lengths(18, 8), [6, 6, 6]);
        assert_eq!(lengths(5, 2), [2, 2, 1]);
        assert_eq!(lengths(2, 0), [1, 1]);
        assert!(lengths(0, 8).is_empty());
    }

    #[test]
    fn any_sheet_is_drawn() {
        let key = |label: &str| Key {
            color: [1; 3],
            label: label.to_owned(),
        };
        let text =
            "a text that is far too long for what it stands above and even for a whole page "
                .repeat(9);
        let panel = |images| Panel {
            images,
            title: text.clone(),
            caption: text.clone(),
        };
        let (one, tall) = (
            panel(vec![plain(1, 1, [0; 3])]),
            panel(vec![plain(1, 900, [0; 3]), plain(3, 1, [0; 3])]),
        );
        for panels in [
            vec![],
            vec![Panel::default()],
            vec![one.clone()],
            vec![one, panel(vec![]), tall],
        ] {
            for range in [
                Range {
                    low: 0.0,
                    high: 0.0,
                },
                Range {
                    low: f32::NAN,
                    high: f32::INFINITY,
                },
            ] {
                let row = Row {
                    panels: panels.clone(),
                    joined: true,
                };
                let bar = ColorBar {
                    range,
                    scale: ColorScale::Viridis,
                    label: text.clone(),
                };
                let legend = vec![key("a"), key(&text), key("")];
                for rows in [
                    vec![],
                    vec![row.clone()],
                    vec![row.clone(), Row::default(), row.clone()],
                ] {
                    Sheet {
                        rows: rows.clone(),
                        ..Sheet::default()
                    }
                    .draw();
                    let (title, note) = (text.clone(), text.clone());
                    Sheet {
                        title,
                        note,
                        rows,
                        bar: Some(bar.clone()),
                        legend: legend.clone(),
                    }
                    .draw();
                }
            }
        }
    }
}
