//! Which patches are like a given one.

use ibot_core::image::RgbImage;
use ibot_core::picture::patches::patch_rect;
use ibot_core::picture::{ColorScale, Heatmap, Interpolation, PatchGrid, Range, Rect, gray};

use super::fitted;
use crate::report::canvas::text::TextStyle;
use crate::report::canvas::{Canvas, INK, PAPER};
use crate::report::sheet::{ColorBar, DrawnSheet, Panel, Sheet, wrap};

/// The patch in question.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Its image.
    pub image: &'a RgbImage,
    /// Its row and column in the grid of `similarity`.
    pub patch: (usize, usize),
    /// Its cosine similarity with each patch of its image.
    pub similarity: PatchGrid<'a, f32>,
}

/// Another image.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// What it is called.
    pub title: String,
    /// The image.
    pub image: &'a RgbImage,
    /// The cosine similarity of its patches with the one in question.
    pub similarity: PatchGrid<'a, f32>,
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
    let shown = query
        .similarity
        .cells()
        .iter()
        .chain(others.iter().flat_map(|other| other.similarity.cells()));
    let range = Range::of(shown);
    let scale = ColorScale::Viridis;
    let heat = |image: &RgbImage, similarity: PatchGrid<f32>| {
        Heatmap {
            range,
            scale,
            interpolation: Interpolation::Nearest,
            alpha: 0.7,
        }
        .draw(&gray(&fitted(image, (SIDE, SIDE))), similarity)
    };
    let mut panels = vec![
        Panel::new("query", vec![fitted(query.image, (SIDE, SIDE))]),
        Panel::new("same image", vec![heat(query.image, query.similarity)]),
    ];
    panels.extend(
        others
            .iter()
            .map(|other| Panel::new(&other.title, vec![heat(other.image, other.similarity)])),
    );

    let (row, column) = query.patch;
    let numbered = if others.iter().any(|other| !other.matches.is_empty()) {
        "; numbers: the best matches"
    } else {
        ""
    };
    let sheet = Sheet {
        title: "Patches like the one marked".to_owned(),
        note: format!(
            "query: row {row}, column {column} of {} x {} patches{numbered}",
            query.similarity.rows(),
            query.similarity.columns()
        ),
        rows: wrap(panels, MOST_COLUMNS),
        bar: Some(ColorBar {
            range,
            scale,
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

/// The pixels of a patch of an image that is drawn at `place`.
fn patch_at(place: Rect, grid: (usize, usize), patch: (usize, usize)) -> Rect {
    let inside = patch_rect(grid, patch, (place.width, place.height));
    Rect {
        left: place.left + inside.left,
        top: place.top + inside.top,
        ..inside
    }
}

/// A rectangle around the patch, and lines that lead to it from far enough to be seen.
fn mark_query(canvas: &mut Canvas, place: Rect, query: &Query) {
    let patch = patch_at(place, query.similarity.shape(), query.patch);
    let (x, y) = patch.center();
    let (left, right, top, bottom) = (
        patch.left as f32,
        patch.right() as f32,
        patch.top as f32,
        patch.bottom() as f32,
    );
    let (near, far) = (3.0, 16.0);
    let inside = |x: f32, y: f32| {
        (
            x.clamp(place.left as f32, place.right() as f32),
            y.clamp(place.top as f32, place.bottom() as f32),
        )
    };
    for (width, color) in [(5.0, PAPER), (2.5, QUERY)] {
        for (from, to) in [
            (inside(left - far, y), inside(left - near, y)),
            (inside(right + near, y), inside(right + far, y)),
            (inside(x, top - far), inside(x, top - near)),
            (inside(x, bottom + near), inside(x, bottom + far)),
        ] {
            canvas.line(from, to, width, color);
        }
    }
    outline(canvas, patch, QUERY);
}

/// A frame around `patch` that is seen on any image.
fn outline(canvas: &mut Canvas, patch: Rect, color: [u8; 3]) {
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

fn mark_matches(canvas: &mut Canvas, place: Rect, other: &Candidate) {
    let patches = || {
        other
            .matches
            .iter()
            .map(|patch| patch_at(place, other.similarity.shape(), *patch))
    };
    patches().for_each(|patch| outline(canvas, patch, INK));
    // The best match lies on top.
    for (index, patch) in patches().enumerate().collect::<Vec<_>>().into_iter().rev() {
        let number = (index + 1).to_string();
        let radius = (TextStyle::MARK.width(&number) as f32 / 2.0 + 3.0).max(9.0);
        // Beside the patch, which stays visible, yet on the image.
        let inside =
            |at: f32, from: usize, to: usize| at.min(to as f32 - radius).max(from as f32 + radius);
        let (x, y) = (
            patch.right() as f32 + 0.6 * radius,
            patch.top as f32 - 0.6 * radius,
        );
        let center = (
            inside(x, place.left, place.right()),
            inside(y, place.top, place.bottom()),
        );
        canvas.disc(center, radius + 1.5, INK);
        canvas.disc(center, radius, PAPER);
        canvas.text_around(center, &number, TextStyle::MARK);
    }
}
