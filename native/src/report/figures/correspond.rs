//! Patches of two images that belong together.

use ibot_core::grid::Rect;
use ibot_core::image::RgbImage;
use ibot_core::picture::{ColorScale, Range};

use super::fit::fitted;
use crate::report::canvas::shapes::Position;
use crate::report::canvas::{PAPER, Page};
use crate::report::sheet::{DrawnSheet, LegendKey, Panel, Sheet, SheetRow};

/// A point in each of two images, `(x, y)` in the pixels of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointPair {
    /// In the first image.
    pub from: (f32, f32),
    /// In the second image.
    pub to: (f32, f32),
    /// Whether they belong together (as counted by PCK), where that is known.
    pub right: Option<bool>,
}

/// What the color of a pair tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PairColor {
    /// Where it lies in the first image, from top to bottom: neighbours have like colors, so
    /// crossing lines stand out.
    Position,
    /// Whether it is correct.
    Correctness,
}

const HEIGHT: usize = 480;
// A panorama gets less height instead of more width.
const MOST_WIDTH: usize = 900;
const CORRECT: [u8; 3] = [0, 158, 90];
const WRONG: [u8; 3] = [214, 45, 45];
const UNKNOWN: [u8; 3] = [130, 136, 148];

#[derive(Clone, Debug)]
pub struct ImagePoints {
    pub first: RgbImage,
    pub second: RgbImage,
    pub pairs: Vec<PointPair>,
}

/// Draws the two images side by side and a line for each pair.
pub fn correspond(
    first: &RgbImage,
    second: &RgbImage,
    pairs: &[PointPair],
    color: PairColor,
) -> RgbImage {
    let row = RowOfPairs {
        images: [first, second],
        pairs,
    };
    draw("Corresponding patches", &[row], color, HEIGHT)
}

/// Draws a row for each two images, with a line for each pair of points.
pub fn keypoints(title: &str, rows: &[ImagePoints]) -> RgbImage {
    let rows: Vec<RowOfPairs> = rows
        .iter()
        .map(|row| RowOfPairs {
            images: [&row.first, &row.second],
            pairs: &row.pairs,
        })
        .collect();
    draw(title, &rows, PairColor::Correctness, HEIGHT / 2)
}

struct RowOfPairs<'a> {
    images: [&'a RgbImage; 2],
    pairs: &'a [PointPair],
}

fn draw(title: &str, rows: &[RowOfPairs], color: PairColor, height: usize) -> RgbImage {
    let pairs: Vec<PointPair> = rows.iter().flat_map(|row| row.pairs).copied().collect();
    let mut sheet = Sheet {
        title: title.to_owned(),
        note: note(&pairs),
        legend: match color {
            PairColor::Position => Vec::new(),
            PairColor::Correctness => verdicts_in(&pairs),
        },
        ..Sheet::default()
    };
    for row in rows {
        let images = row
            .images
            .map(|image| fitted(image, (MOST_WIDTH * height / HEIGHT, height)));
        sheet.rows.push(SheetRow {
            panels: images.map(|image| Panel::new("", vec![image])).into(),
            joined: false,
        });
    }

    let DrawnSheet { mut canvas, places } = sheet.draw();
    let places = places.concat();
    for (row, places) in rows.iter().zip(places.chunks_exact(2)) {
        let placed = [0, 1].map(|side| Placed {
            image: row.images[side],
            place: places[side],
        });
        let colors = match color {
            PairColor::Position => colors_by_position(row.pairs),
            PairColor::Correctness => {
                let verdicts = row.pairs.iter().map(|pair| verdict(pair.right));
                verdicts.map(|key| key.color).collect()
            }
        };
        // A pair with a point outside of its image has no line.
        draw_pairs(
            &mut canvas,
            &lines(row.pairs, &colors, placed[0], placed[1]),
        );
    }
    canvas.into_image()
}

fn note(pairs: &[PointPair]) -> String {
    let judged: Vec<bool> = pairs.iter().filter_map(|pair| pair.right).collect();
    if judged.is_empty() {
        let plural = if pairs.len() == 1 { "" } else { "s" };
        return format!("{} pair{plural}", pairs.len());
    }

    let correct = judged.iter().filter(|right| **right).count();
    let percent = 100.0 * correct as f64 / judged.len() as f64;
    format!("{correct} of {} correct ({percent:.1} %)", judged.len())
}

fn colors_by_position(pairs: &[PointPair]) -> Vec<[u8; 3]> {
    let range = Range::of(pairs.iter().map(|pair| &pair.from.1));
    let mut colors = Vec::with_capacity(pairs.len());
    for pair in pairs {
        // The ends of the rainbow are nearly black.
        let color = match range.position(pair.from.1) {
            Some(position) => ColorScale::Turbo.color(0.08 + 0.86 * position),
            None => UNKNOWN,
        };
        colors.push(color);
    }
    colors
}

fn verdict(right: Option<bool>) -> LegendKey {
    let (color, label) = match right {
        Some(true) => (CORRECT, "correct"),
        Some(false) => (WRONG, "wrong"),
        None => (UNKNOWN, "unknown"),
    };
    LegendKey {
        color,
        label: label.to_owned(),
    }
}

fn verdicts_in(pairs: &[PointPair]) -> Vec<LegendKey> {
    let mut found = vec![Some(true), Some(false), None];
    found.retain(|right| pairs.iter().any(|pair| pair.right == *right));
    found.into_iter().map(verdict).collect()
}

#[derive(Clone, Copy)]
struct Placed<'a> {
    image: &'a RgbImage,
    place: Rect,
}

struct PairLine {
    from: Position,
    to: Position,
    color: [u8; 3],
}

impl Placed<'_> {
    /// A point of the image on the canvas; `None` if it lies outside of the image.
    fn on_canvas(self, (x, y): (f32, f32)) -> Option<Position> {
        let (width, height) = (self.image.width() as f32, self.image.height() as f32);
        if !(0.0..=width).contains(&x) || !(0.0..=height).contains(&y) {
            return None;
        }
        let Rect {
            left,
            top,
            width: wide,
            height: high,
        } = self.place;
        Some((
            left as f32 + x / width * wide as f32,
            top as f32 + y / height * high as f32,
        ))
    }
}

fn lines(pairs: &[PointPair], colors: &[[u8; 3]], first: Placed, second: Placed) -> Vec<PairLine> {
    let mut lines = Vec::with_capacity(pairs.len());
    for (pair, color) in pairs.iter().zip(colors) {
        let ends = first.on_canvas(pair.from).zip(second.on_canvas(pair.to));
        if let Some((from, to)) = ends {
            lines.push(PairLine {
                from,
                to,
                color: *color,
            });
        }
    }
    lines
}

fn draw_pairs(canvas: &mut Page, lines: &[PairLine]) {
    // Many lines are thinner.
    let (width, radius) = if lines.len() > 60 {
        (1.4, 3.5)
    } else {
        (2.2, 5.5)
    };

    // A pale edge keeps a line visible on what has its color.
    for PairLine { from, to, color } in lines {
        canvas.line(*from, *to, width + 1.4, PAPER);
        canvas.line(*from, *to, width, *color);
    }
    for PairLine { from, to, color } in lines {
        for point in [from, to] {
            canvas.disc(*point, radius + 1.5, PAPER);
            canvas.disc(*point, radius, *color);
        }
    }
}
