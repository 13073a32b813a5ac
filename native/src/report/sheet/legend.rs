//! What colors mean, below the panels.

use ibot_core::grid::Rect;

use super::spacing::{GAP, MARGIN, TEXT_GAP};
use crate::report::canvas::text::{Align, TextStyle};
use crate::report::canvas::{FRAME, Page};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegendKey {
    pub color: [u8; 3],
    pub label: String,
}

/// Side of the square that shows a color.
const SWATCH: usize = 16;
/// From a line of the legend to the next.
const LINE: usize = SWATCH + TEXT_GAP;

pub(super) struct Legend<'a> {
    lines: Vec<Vec<PlacedKey<'a>>>,
    width: usize,
}

struct PlacedKey<'a> {
    /// From the margin.
    left: usize,
    key: &'a LegendKey,
}

impl<'a> Legend<'a> {
    /// Lines of at most `width` pixels, unless one key alone is wider.
    pub fn new(keys: &'a [LegendKey], width: usize) -> Self {
        let mut lines: Vec<Vec<PlacedKey>> = Vec::new();
        let mut left = 0;
        for key in keys {
            let length = LINE + TextStyle::NOTE.width(&key.label);
            match lines.last_mut().filter(|_| left + length <= width) {
                Some(line) => line.push(PlacedKey { left, key }),
                None => {
                    left = 0;
                    lines.push(vec![PlacedKey { left, key }]);
                }
            }
            left += length + GAP;
        }
        Self { lines, width }
    }

    /// Pixels below the panels; none without keys.
    pub fn height(&self) -> usize {
        if self.lines.is_empty() {
            return 0;
        }
        GAP + self.lines.len() * LINE - TEXT_GAP
    }

    pub fn draw(&self, canvas: &mut Page, bottom: usize) {
        let style = TextStyle::NOTE;
        for (line, keys) in self.lines.iter().enumerate() {
            for PlacedKey { left, key } in keys {
                let swatch = Rect {
                    left: MARGIN + left,
                    top: bottom + GAP + line * LINE,
                    width: SWATCH,
                    height: SWATCH,
                };
                canvas.fill(swatch, key.color);
                canvas.frame(swatch, 1, FRAME);

                let label = style.shorten(&key.label, self.width.saturating_sub(left + LINE));
                let x = swatch.right() + TEXT_GAP;
                canvas.text(x, swatch.top, &label, style, Align::Left);
            }
        }
    }
}
