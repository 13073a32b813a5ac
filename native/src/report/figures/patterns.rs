//! What a prototype stands for: the patches that it suits best (paper figures 4 and 11 onwards).

use ibot_core::grid::{Rect, patch_rect};
use ibot_core::image::RgbImage;
use ibot_core::picture::{Interpolation, resize};

use crate::report::canvas::text::TextStyle;
use crate::report::canvas::{EMPTY, PAPER, Page};
use crate::report::sheet::{Panel, Sheet, wrap};

/// A prototype or cluster and its best patches.
#[derive(Clone, Debug)]
pub struct PatternBlock<'a> {
    /// What it is called, such as "prototype 3".
    pub name: String,
    /// The share of all patches that belong to it, 0 to 1.
    pub share: f64,
    /// The share of its patches with its most frequent label, 0 to 1, where labels are known.
    pub purity: Option<f64>,
    /// Its best patches in their context, see [`context_tile`].
    pub tiles: &'a [RgbImage],
}

const TILE: usize = 88;
const TILE_GAP: usize = 4;
const MARK: [u8; 3] = [255, 64, 64];

/// Cuts patch `(row, column)` of a `(rows, columns)` grid out of `image` with what lies around it,
/// `window` patches wide and high (odd numbers keep it in the middle), and outlines it. What lies
/// outside of the image is gray.
pub fn context_tile(
    image: &RgbImage,
    grid: (usize, usize),
    patch: (usize, usize),
    window: usize,
) -> RgbImage {
    let core = patch_rect(grid, patch, (image.width(), image.height()));
    let width = core.width.max(1);
    let height = core.height.max(1);
    // Beyond both borders there is nothing but gray.
    let across = 2 * image.width().div_ceil(width) + 1;
    let down = 2 * image.height().div_ceil(height) + 1;
    let window = window.clamp(1, across.min(down));
    let before = window / 2;

    let cut = RgbImage::from_fn(window * width, window * height, |x, y| {
        // Left of the image and above it these have no value.
        let x = (x + core.left).checked_sub(before * width);
        let y = (y + core.top).checked_sub(before * height);
        match (x, y) {
            (Some(x), Some(y)) if x < image.width() && y < image.height() => image.pixel(x, y),
            _ => EMPTY,
        }
    });

    // To the network every patch is a square.
    let mut canvas = Page::new(TILE, TILE);
    canvas.image(0, 0, &resize(&cut, TILE, TILE, Interpolation::Smooth));
    let middle = patch_rect((window, window), (before, before), (TILE, TILE));
    let around = Rect {
        left: middle.left.saturating_sub(1),
        top: middle.top.saturating_sub(1),
        width: middle.width + 2,
        height: middle.height + 2,
    };
    canvas.frame(around, 1, PAPER);
    canvas.frame(middle, 1, MARK);
    canvas.into_image()
}

/// Draws blocks of `tiles_per_row` tiles, one for each pattern, `blocks_per_row` beside each other.
pub fn patterns(
    patterns: &[PatternBlock],
    tiles_per_row: usize,
    blocks_per_row: usize,
) -> RgbImage {
    let mut panels = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        let block = block(pattern.tiles, tiles_per_row);
        let numbers = numbers(pattern);
        let title = format!("{} · {numbers}", pattern.name);
        // Numbers that do not fit behind the name go below the tiles.
        if TextStyle::TITLE.width(&title) <= block.width() {
            panels.push(Panel::new(title, vec![block]));
        } else {
            panels.push(Panel {
                caption: numbers,
                ..Panel::new(&pattern.name, vec![block])
            });
        }
    }

    Sheet {
        title: "Patterns of patch tokens".to_owned(),
        rows: wrap(panels, blocks_per_row),
        ..Sheet::default()
    }
    .into_image()
}

fn numbers(pattern: &PatternBlock) -> String {
    let share = format!("{} of patches", percent(pattern.share));
    match pattern.purity {
        Some(purity) => format!("{share} · purity {:.0} %", purity * 100.0),
        None => share,
    }
}

fn percent(share: f64) -> String {
    // Two digits that count, as shares reach over magnitudes.
    let percent = share * 100.0;
    match percent {
        10.0.. => format!("{percent:.0} %"),
        1.0.. => format!("{percent:.1} %"),
        0.1.. => format!("{percent:.2} %"),
        _ if percent > 0.0 => format!("{percent:.3} %"),
        _ => format!("{percent:.0} %"),
    }
}

fn block(tiles: &[RgbImage], columns: usize) -> RgbImage {
    let columns = columns.clamp(1, tiles.len().max(1));
    let rows = tiles.len().div_ceil(columns).max(1);
    let step = TILE + TILE_GAP;

    let mut canvas = Page::new(columns * step - TILE_GAP, rows * step - TILE_GAP);
    for (index, tile) in tiles.iter().enumerate() {
        let place = Rect {
            left: index % columns * step,
            top: index / columns * step,
            width: TILE,
            height: TILE,
        };
        canvas.place(place, tile, Interpolation::Smooth);
    }
    canvas.into_image()
}
