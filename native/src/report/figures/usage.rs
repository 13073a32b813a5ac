//! How evenly prototypes are used.

use ibot_core::grid::Rect;
use ibot_core::image::RgbImage;

use crate::report::canvas::text::{Align, TextStyle};
use crate::report::canvas::{FRAME, Page, QUIET};

const SIZE: (usize, usize) = (900, 522);
const PLOT: Rect = Rect {
    left: 96,
    top: 128,
    width: 760,
    height: 320,
};
const BAR: [u8; 3] = [0, 114, 178];

struct CountAxis {
    /// Powers of ten up to the largest count.
    decades: f64,
}

/// Draws the number of patches of each prototype, largest first, on a logarithmic axis.
pub fn usage(counts: &[u64]) -> RgbImage {
    let mut sorted: Vec<u64> = counts.to_vec();
    // Prototypes that no patch belongs to leave a gap at the right.
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let axis = CountAxis::new(sorted.first().copied().unwrap_or(0));

    let mut canvas = Page::new(SIZE.0, SIZE.1);
    draw_header(&mut canvas, &sorted);
    axis.draw(&mut canvas);
    draw_bars(&mut canvas, &sorted, &axis);
    draw_footer(&mut canvas, sorted.len());
    canvas.into_image()
}

impl CountAxis {
    fn new(most: u64) -> Self {
        Self {
            decades: (most.max(1) as f64).log10().ceil().max(1.0),
        }
    }

    /// Pixels above the lower edge.
    fn height(&self, count: f64) -> usize {
        // The axis begins half a decade below 1, so that a count of one has a bar too.
        let share = (count.log10() + 0.5) / (self.decades + 0.5);
        (share * PLOT.height as f64).round() as usize
    }

    fn draw(&self, canvas: &mut Page) {
        for power in 0..=self.decades as i32 {
            let count = 10_f64.powi(power);
            let y = PLOT.bottom() - self.height(count).min(PLOT.height);
            canvas.fill(line_at(y), FRAME);

            let label = match power {
                0..=3 => format!("{count:.0}"),
                _ => format!("1e{power}"),
            };
            let (x, y) = (PLOT.left - 10, y.saturating_sub(8));
            canvas.text(x, y, &label, TextStyle::NOTE, Align::Right);
        }
        let (x, y) = (PLOT.left - 10, PLOT.top - 32);
        canvas.text(x, y, "patches", TextStyle::NOTE, Align::Right);
    }
}

fn draw_header(canvas: &mut Page, sorted: &[u64]) {
    let used = sorted.iter().filter(|count| **count > 0).count();
    let patches: u128 = sorted.iter().map(|count| u128::from(*count)).sum();
    let note = format!("{used} of {} used, {patches} patches", sorted.len());
    canvas.text(32, 28, "Use of prototypes", TextStyle::HEAD, Align::Left);
    canvas.text(32, 58, &note, TextStyle::NOTE, Align::Left);
}

fn draw_bars(canvas: &mut Page, sorted: &[u64], axis: &CountAxis) {
    let has_gaps = sorted.len() * 4 <= PLOT.width;
    for x in 0..PLOT.width {
        // Beyond one prototype a pixel, a pixel shows the largest of its own.
        let index = x * sorted.len() / PLOT.width;
        let count = sorted.get(index).copied().unwrap_or(0);
        let is_last_of_bar = (x + 1) * sorted.len() / PLOT.width != index;
        if count == 0 || (has_gaps && is_last_of_bar) {
            continue;
        }

        let height = axis.height(count as f64).clamp(1, PLOT.height);
        let bar = Rect {
            left: PLOT.left + x,
            top: PLOT.bottom() - height,
            width: 1,
            height,
        };
        canvas.fill(bar, BAR);
    }
}

fn draw_footer(canvas: &mut Page, prototypes: usize) {
    canvas.fill(line_at(PLOT.bottom()), QUIET);

    let below = PLOT.bottom() + 8;
    let style = TextStyle::NOTE;
    canvas.text(PLOT.left, below, "1", style, Align::Left);
    let last = prototypes.to_string();
    canvas.text(PLOT.right(), below, &last, style, Align::Right);
    let middle = PLOT.left + PLOT.width / 2;
    let label = "prototypes, most used first";
    canvas.text(middle, below + 22, label, style, Align::Center);
}

fn line_at(y: usize) -> Rect {
    Rect {
        left: PLOT.left,
        top: y,
        width: PLOT.width,
        height: 1,
    }
}
