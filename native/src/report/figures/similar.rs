//! Which patches are like a given one.

use ibot_core::grid::{GridRef, GridShape, PatchGeometry, Rect};
use ibot_core::image::RgbImage;
use ibot_core::picture::{ColorScale, Heatmap, Interpolation, Range, gray};

use super::fit::fitted;
use crate::report::canvas::shapes::Position;
use crate::report::canvas::text::TextStyle;
use crate::report::canvas::{INK, PAPER, Page};
use crate::report::sheet::{ColorBar, DrawnSheet, Panel, Sheet, wrap};

#[derive(Clone, Debug)]
pub struct Query<'a> {
    pub image: &'a RgbImage,
    /// Its row and column in the grid of `similarity`.
    pub patch: (usize, usize),
    /// Its cosine similarity with each patch of its image.
    pub similarity: GridRef<'a, f32>,
}

#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    pub title: String,
    pub image: &'a RgbImage,
    /// The cosine similarity of its patches with the one in question.
    pub similarity: GridRef<'a, f32>,
    /// Rows and columns of its best patches, which get numbers from 1.
    pub matches: &'a [(usize, usize)],
}

/// The side of the square that an image fills.
const SIDE: usize = 480;
const MOST_COLUMNS: usize = 4;
const QUERY: [u8; 3] = [255, 64, 64];

/// Draws the image of `query` with its patch marked, and the similarities over it and over the
/// others, all on one scale, from the smallest to the largest value shown.
pub fn similar(query: &Query, others: &[Candidate]) -> RgbImage {
    let mut shown: Vec<&f32> = query.similarity.cells().iter().collect();
    for other in others {
        shown.extend(other.similarity.cells());
    }
    let heatmap = Heatmap {
        range: Range::of(shown),
        scale: ColorScale::Viridis,
        interpolation: Interpolation::Nearest,
        alpha: 0.7,
    };

    let image = fitted(query.image, (SIDE, SIDE));
    let same = heatmap.draw(&gray(&image), query.similarity);
    let mut panels = vec![
        Panel::new("query", vec![image]),
        Panel::new("same image", vec![same]),
    ];
    for other in others {
        let image = fitted(other.image, (SIDE, SIDE));
        let drawn = heatmap.draw(&gray(&image), other.similarity);
        panels.push(Panel::new(&other.title, vec![drawn]));
    }

    let sheet = Sheet {
        title: "Patches like the one marked".to_owned(),
        note: note(query, others),
        rows: wrap(panels, MOST_COLUMNS),
        bar: Some(ColorBar {
            range: heatmap.range,
            scale: heatmap.scale,
            label: "cosine similarity".to_owned(),
        }),
        legend: Vec::new(),
    };
    let DrawnSheet { mut canvas, places } = sheet.draw();
    for (index, place) in places.iter().flatten().enumerate() {
        match index.checked_sub(2).and_then(|index| others.get(index)) {
            None => mark_query(&mut canvas, *place, query),
            Some(other) => mark_matches(&mut canvas, *place, other),
        }
    }
    canvas.into_image()
}

fn note(query: &Query, others: &[Candidate]) -> String {
    let (row, column) = query.patch;
    let GridShape { rows, columns } = query.similarity.shape();
    let place = format!("query: row {row}, column {column} of {rows} x {columns} patches");
    if others.iter().any(|other| !other.matches.is_empty()) {
        place + "; numbers: the best matches"
    } else {
        place
    }
}

/// The pixels of a patch of an image that is drawn at `place`.
fn patch_at(place: Rect, grid: GridShape, patch: (usize, usize)) -> Rect {
    let geometry = PatchGeometry::stretched(grid, (place.width, place.height));
    let inside = geometry.pixels_of(patch.0, patch.1);
    Rect {
        left: place.left + inside.left,
        top: place.top + inside.top,
        ..inside
    }
}

fn mark_query(canvas: &mut Page, place: Rect, query: &Query) {
    let patch = patch_at(place, query.similarity.shape(), query.patch);
    let (x, y) = patch.center();
    let (left, right) = (patch.left as f32, patch.right() as f32);
    let (top, bottom) = (patch.top as f32, patch.bottom() as f32);
    // Lines lead to the patch from far enough to be seen.
    let (near, far) = (3.0, 16.0);
    let lines = [
        [(left - far, y), (left - near, y)],
        [(right + near, y), (right + far, y)],
        [(x, top - far), (x, top - near)],
        [(x, bottom + near), (x, bottom + far)],
    ];

    for (width, color) in [(5.0, PAPER), (2.5, QUERY)] {
        for [from, to] in lines {
            canvas.line(clamped(from, place), clamped(to, place), width, color);
        }
    }
    outline(canvas, patch, QUERY);
}

/// The point of `place` that is closest to `point`.
fn clamped((x, y): Position, place: Rect) -> Position {
    (
        x.clamp(place.left as f32, place.right() as f32),
        y.clamp(place.top as f32, place.bottom() as f32),
    )
}

fn outline(canvas: &mut Page, patch: Rect, color: [u8; 3]) {
    // Paper on both sides of the color is seen on any image.
    for (reach, width, color) in [(3, 1, PAPER), (2, 2, color), (0, 1, PAPER)] {
        let left = patch.left.saturating_sub(reach);
        let top = patch.top.saturating_sub(reach);
        let area = Rect {
            left,
            top,
            width: patch.right() + reach - left,
            height: patch.bottom() + reach - top,
        };
        canvas.frame(area, width, color);
    }
}

fn mark_matches(canvas: &mut Page, place: Rect, other: &Candidate) {
    let grid = other.similarity.shape();
    for patch in other.matches {
        outline(canvas, patch_at(place, grid, *patch), INK);
    }
    // The best match lies on top.
    for (index, patch) in other.matches.iter().enumerate().rev() {
        let patch = patch_at(place, grid, *patch);
        draw_number(canvas, place, patch, index + 1);
    }
}

fn draw_number(canvas: &mut Page, place: Rect, patch: Rect, number: usize) {
    let number = number.to_string();
    let radius = (TextStyle::MARK.width(&number) as f32 / 2.0 + 3.0).max(9.0);
    // The patch stays visible, and the number on the image.
    let beside = (
        patch.right() as f32 + 0.6 * radius,
        patch.top as f32 - 0.6 * radius,
    );
    // An image smaller than the number keeps it at its upper left corner.
    let center = (
        beside
            .0
            .min(place.right() as f32 - radius)
            .max(place.left as f32 + radius),
        beside
            .1
            .min(place.bottom() as f32 - radius)
            .max(place.top as f32 + radius),
    );

    canvas.disc(center, radius + 1.5, INK);
    canvas.disc(center, radius, PAPER);
    canvas.text_around(center, &number, TextStyle::MARK);
}
