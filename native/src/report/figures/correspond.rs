//! Patches of two images that belong together.

use ibot_core::image::RgbImage;
use ibot_core::picture::{ColorScale, Range, Rect};

use super::fitted;
use crate::report::canvas::{Canvas, PAPER};
use crate::report::sheet::{DrawnSheet, Key, Panel, Sheet, SheetRow};

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

/// The height of both images.
const HEIGHT: usize = 480;
/// A panorama gets less height instead of more width.
const MOST_WIDTH: usize = 900;
const CORRECT: [u8; 3] = [0, 158, 90];
const WRONG: [u8; 3] = [214, 45, 45];
const UNKNOWN: [u8; 3] = [130, 136, 148];

/// Draws the two images side by side and a line for each pair. A pair with a point outside of its
/// image gets none.
pub fn correspond(
    first: &RgbImage,
    second: &RgbImage,
    pairs: &[PointPair],
    color: PairColor,
) -> RgbImage {
    let panels =
        [first, second].map(|image| Panel::new("", vec![fitted(image, (MOST_WIDTH, HEIGHT))]));
    let mut sheet = Sheet {
        title: "Corresponding patches".to_owned(),
        note: note(pairs),
        rows: vec![SheetRow {
            panels: panels.into(),
            joined: false,
        }],
        ..Sheet::default()
    };
    let colors: Vec<[u8; 3]> = match color {
        PairColor::Position => {
            let range = Range::of(pairs.iter().map(|pair| &pair.from.1));
            // The ends of the rainbow are nearly black.
            let color = |position| ColorScale::Turbo.color(0.08 + 0.86 * position);
            pairs
                .iter()
                .map(|pair| range.position(pair.from.1).map_or(UNKNOWN, color))
                .collect()
        }
        PairColor::Correctness => {
            let known = [
                (Some(true), CORRECT, "correct"),
                (Some(false), WRONG, "wrong"),
                (None, UNKNOWN, "unknown"),
            ];
            let used = known
                .iter()
                .filter(|(verdict, ..)| pairs.iter().any(|pair| pair.right == *verdict));
            sheet.legend = used
                .map(|(_, color, label)| Key {
                    color: *color,
                    label: (*label).to_owned(),
                })
                .collect();
            pairs
                .iter()
                .map(|pair| {
                    pair.right
                        .map_or(UNKNOWN, |correct| if correct { CORRECT } else { WRONG })
                })
                .collect()
        }
    };
    let DrawnSheet { mut canvas, places } = sheet.draw();
    if let [left, right] = places.concat()[..] {
        draw_pairs(
            &mut canvas,
            (first, left),
            (second, right),
            pairs.iter().zip(colors).collect(),
        );
    }
    canvas.into_image()
}

fn note(pairs: &[PointPair]) -> String {
    let judged = || pairs.iter().filter_map(|pair| pair.right);
    let (correct, all) = (
        judged().filter(|correct| *correct).count(),
        judged().count(),
    );
    match (pairs.len(), all) {
        (1, 0) => "1 pair".to_owned(),
        (count, 0) => format!("{count} pairs"),
        _ => format!(
            "{correct} of {all} correct ({:.1} %)",
            100.0 * correct as f64 / all as f64
        ),
    }
}

fn draw_pairs(
    canvas: &mut Canvas,
    (first, left): (&RgbImage, Rect),
    (second, right): (&RgbImage, Rect),
    pairs: Vec<(&PointPair, [u8; 3])>,
) {
    let on_canvas = |image: &RgbImage, place: Rect, point: (f32, f32)| {
        let along = |at: f32, length: usize, start: usize, room: usize| {
            start as f32 + at / length as f32 * room as f32
        };
        (
            along(point.0, image.width(), place.left, place.width),
            along(point.1, image.height(), place.top, place.height),
        )
    };
    let within = |image: &RgbImage, (x, y): (f32, f32)| {
        (0.0..=image.width() as f32).contains(&x) && (0.0..=image.height() as f32).contains(&y)
    };
    let seen = pairs
        .iter()
        .filter(|(pair, _)| within(first, pair.from) && within(second, pair.to));
    let ends: Vec<_> = seen
        .map(|(pair, color)| {
            (
                on_canvas(first, left, pair.from),
                on_canvas(second, right, pair.to),
                *color,
            )
        })
        .collect();
    // A pale edge keeps a line visible on what has its color. It is thinner where lines are many.
    let (line, radius) = if ends.len() > 60 {
        (1.4, 3.5)
    } else {
        (2.2, 5.5)
    };
    for (from, to, color) in &ends {
        canvas.line(*from, *to, line + 1.4, PAPER);
        canvas.line(*from, *to, line, *color);
    }
    for (from, to, color) in &ends {
        for point in [from, to] {
            canvas.disc(*point, radius + 1.5, PAPER);
            canvas.disc(*point, radius, *color);
        }
    }
}
