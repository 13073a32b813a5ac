//! How evenly prototypes are used.

use ibot_core::image::RgbImage;
use ibot_core::picture::Rect;

use crate::report::canvas::text::{Align, TextStyle};
use crate::report::canvas::{Canvas, FRAME, QUIET};

const PLOT: Rect = Rect {
    left: 96,
    top: 128,
    width: 760,
    height: 320,
};
const SIZE: (usize, usize) = (900, 522);
const BAR: [u8; 3] = [0, 114, 178];

/// Draws the number of patches of each prototype, largest first, on a logarithmic axis. Prototypes
/// that no patch belongs to leave a gap at the right.
pub fn usage(counts: &[u64]) -> RgbImage {
    let mut sorted: Vec<u64> = counts.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let used = sorted.iter().filter(|count| **count > 0).count();
    let most = sorted.first().copied().unwrap_or(0).max(1);
    let decades = (most as f64).log10().ceil().max(1.0);

    let mut canvas = Canvas::new(SIZE.0, SIZE.1);
    canvas.text(32, 28, "Use of prototypes", TextStyle::HEAD, Align::Left);
    let note = format!(
        "{used} of {} used, {} patches",
        sorted.len(),
        counts.iter().map(|c| u128::from(*c)).sum::<u128>()
    );
    canvas.text(32, 58, &note, TextStyle::NOTE, Align::Left);

    // A count of one still has a bar: the axis begins half a decade below it.
    let height = |count: f64| {
        ((count.log10() + 0.5) / (decades + 0.5) * PLOT.height as f64).round() as usize
    };
    for power in 0..=decades as i32 {
        let y = PLOT.bottom() - height(10_f64.powi(power)).min(PLOT.height);
        canvas.fill(
            Rect {
                left: PLOT.left,
                top: y,
                width: PLOT.width,
                height: 1,
            },
            FRAME,
        );
        let label = match power {
            0..=3 => format!("{:.0}", 10_f64.powi(power)),
            _ => format!("1e{power}"),
        };
        canvas.text(
            PLOT.left - 10,
            y.saturating_sub(8),
            &label,
            TextStyle::NOTE,
            Align::Right,
        );
    }
    for x in 0..PLOT.width {
        // Beyond one prototype a pixel, a pixel shows the largest of its own.
        let count = sorted
            .get(x * sorted.len() / PLOT.width)
            .copied()
            .unwrap_or(0);
        if count > 0 {
            let bar = height(count as f64).clamp(1, PLOT.height);
            let gap = sorted.len() * 4 <= PLOT.width
                && (x + 1) * sorted.len() / PLOT.width != x * sorted.len() / PLOT.width;
            if !gap {
                canvas.fill(
                    Rect {
                        left: PLOT.left + x,
                        top: PLOT.bottom() - bar,
                        width: 1,
                        height: bar,
                    },
                    BAR,
                );
            }
        }
    }
    canvas.fill(
        Rect {
            left: PLOT.left,
            top: PLOT.bottom(),
            width: PLOT.width,
            height: 1,
        },
        QUIET,
    );
    let below = PLOT.bottom() + 8;
    canvas.text(PLOT.left, below, "1", TextStyle::NOTE, Align::Left);
    canvas.text(
        PLOT.right(),
        below,
        &sorted.len().to_string(),
        TextStyle::NOTE,
        Align::Right,
    );
    let middle = PLOT.left + PLOT.width / 2;
    canvas.text(
        middle,
        below + 22,
        "prototypes, most used first",
        TextStyle::NOTE,
        Align::Center,
    );
    canvas.text(
        PLOT.left - 10,
        PLOT.top - 32,
        "patches",
        TextStyle::NOTE,
        Align::Right,
    );
    canvas.into_image()
}
