//! What is drawn on the canvas, and where.

use web_sys::HtmlCanvasElement;

use super::state::Cursor;
use ibot_web::protocol::{PerSlot, SLOTS};

/// Space between and around images, in CSS pixels.
pub const GAP: f64 = 12.0;
// Below this width the second image is below the first one.
pub const NARROW: f64 = 560.0;
/// Largest height of an image, in CSS pixels.
const TALLEST: f64 = 480.0;

pub struct Drawing {
    pub panes: PerSlot<Pane>,
    /// Lines from patches of image 0 to patches of image 1, with a color in CSS.
    pub lines: Vec<(usize, usize, String)>,
    pub cursor: Option<Cursor>,
    /// Opacity of the colors over the images, 0 to 1.
    pub opacity: f64,
    /// Whether colors blend between patches.
    pub smooth: bool,
}

/// An image and what is drawn over it.
pub struct Pane {
    pub picture: HtmlCanvasElement,
    /// Rows and columns of patches.
    pub grid: (usize, usize),
    /// Colors of the patches: a canvas with one pixel a patch.
    pub cells: Option<HtmlCanvasElement>,
    /// Whether each patch is hidden from the student; empty if none is.
    pub hidden: Vec<bool>,
    /// Patches that are numbered from 1.
    pub marks: Vec<usize>,
}

/// Where an image is, in CSS pixels of the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    pub area: Area,
    /// Rows and columns of patches.
    grid: (usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Area {
    pub fn center(&self) -> (f64, f64) {
        (self.left + self.width / 2.0, self.top + self.height / 2.0)
    }
}

impl Placement {
    pub fn patch(&self, patch: usize) -> Area {
        let (rows, columns) = (self.grid.0.max(1), self.grid.1.max(1));
        let width = self.area.width / columns as f64;
        let height = self.area.height / rows as f64;

        Area {
            left: self.area.left + (patch % columns) as f64 * width,
            top: self.area.top + (patch / columns) as f64 * height,
            width,
            height,
        }
    }

    /// The patch at a point; `None` outside of the image, and if it has no patches.
    pub fn patch_at(&self, x: f64, y: f64) -> Option<usize> {
        let (rows, columns) = self.grid;
        let row = index((y - self.area.top) / self.area.height, rows)?;
        let column = index((x - self.area.left) / self.area.width, columns)?;
        Some(row * columns + column)
    }
}

/// The index among `count` equal parts in which `share` of the whole length lies.
fn index(share: f64, count: usize) -> Option<usize> {
    let inside = (0.0..1.0).contains(&share) && count > 0;
    // Rounding may lead to `count` just before the end.
    inside.then(|| ((share * count as f64) as usize).min(count - 1))
}

/// Places images beside each other, or one below the other if `width` is small.
pub fn layout(drawing: &Drawing, width: f64) -> PerSlot<Placement> {
    let narrow = width < NARROW;
    let room = match narrow {
        true => width,
        false => (width - GAP) / SLOTS as f64,
    };

    let mut placements = PerSlot::default();
    let mut top = 0.0;
    for (slot, pane) in drawing.panes.iter().enumerate() {
        let Some(pane) = pane else { continue };
        // A very high image is narrower than its room.
        let aspect = f64::from(pane.picture.height()) / f64::from(pane.picture.width().max(1));
        // An image of no width, which a broken file may give, still has a place.
        let shown = room.min(TALLEST / aspect.max(1e-3));
        let first = match narrow {
            true => 0.0,
            false => slot as f64 * (room + GAP),
        };

        placements[slot] = Some(Placement {
            area: Area {
                left: first + (room - shown) / 2.0,
                top,
                width: shown,
                height: shown * aspect,
            },
            grid: pane.grid,
        });
        if narrow {
            top += shown * aspect + GAP;
        }
    }
    placements
}
