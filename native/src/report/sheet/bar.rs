//! Color bars.

use ibot_core::grid::Rect;
use ibot_core::picture::{ColorScale, Range};

use super::spacing::TEXT_GAP;
use crate::report::axis::{Axis, significant};
use crate::report::canvas::text::{Align, TextStyle};
use crate::report::canvas::{FRAME, Page, QUIET};

/// A scale of colors with numbers along it, from bottom to top.
#[derive(Clone, Debug, PartialEq)]
pub struct ColorBar {
    /// The values at its ends.
    pub range: Range,
    pub scale: ColorScale,
    /// What the numbers are.
    pub label: String,
}

const WIDTH: usize = 18;
const BAR_HEIGHT: usize = 220;
const TICK: usize = 5;

impl ColorBar {
    /// Pixels from the top of the label to the bottom of the bar, with half a number below.
    pub const HEIGHT: usize = LABEL + BAR_HEIGHT + 8;

    /// Pixels that the bar takes with its numbers and its label.
    pub fn width(&self) -> usize {
        let numbers = self
            .ticks()
            .iter()
            .map(|(_, label)| TextStyle::NOTE.width(label))
            .max()
            .unwrap_or(0);
        (WIDTH + TICK + TEXT_GAP + numbers).max(TextStyle::NOTE.width(&self.label).min(MOST_LABEL))
    }

    pub fn draw(&self, canvas: &mut Page, (left, top): (usize, usize)) {
        let style = TextStyle::NOTE;
        let label = style.shorten(&self.label, MOST_LABEL);
        canvas.text(left, top, &label, style, Align::Left);

        let bar = Rect {
            left,
            top: top + LABEL,
            width: WIDTH,
            height: BAR_HEIGHT,
        };
        let last = (BAR_HEIGHT - 1) as f32;
        canvas.paint(bar, |_, y| self.scale.color(1.0 - y as f32 / last));
        canvas.frame(bar, 1, FRAME);

        for (position, number) in self.ticks() {
            let y = bar.top + ((1.0 - position) * last).round() as usize;
            let tick = Rect {
                left: bar.right(),
                top: y,
                width: TICK,
                height: 1,
            };
            canvas.fill(tick, QUIET);
            let x = tick.right() + TEXT_GAP;
            let top = y.saturating_sub(style.height() / 2);
            canvas.text(x, top, &number, style, Align::Left);
        }
    }

    /// Where on the bar (0 is its lower end, 1 its upper) which number stands.
    fn ticks(&self) -> Vec<(f32, String)> {
        let Range { low, high } = self.range;
        if !low.is_finite() || !high.is_finite() {
            return Vec::new();
        }
        let low = f64::from(low);
        let high = f64::from(high);
        if low == high {
            return vec![(0.5, significant(low))];
        }

        // An axis in its own units gives the values of its ticks.
        let axis = Axis::new([low, high].into_iter(), 0.0, low.min(high), low.max(high));
        let mut ticks = Vec::new();
        for (value, label) in axis.ticks(5.0) {
            if let Some(position) = self.range.position(value as f32) {
                ticks.push((position, label));
            }
        }
        ticks
    }
}

const LABEL: usize = 28;
const MOST_LABEL: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(low: f32, high: f32) -> ColorBar {
        ColorBar {
            range: Range { low, high },
            scale: ColorScale::Viridis,
            label: "cosine".to_owned(),
        }
    }

    #[test]
    fn the_ends_have_the_colors_of_the_ends() {
        let mut canvas = Page::new(200, 300);
        bar(0.0, 1.0).draw(&mut canvas, (10, 10));
        let image = canvas.into_image();
        let top = 10 + LABEL;
        // One pixel of frame lies on them.
        let near = |y: usize, position: f32| {
            let (seen, end) = (image.pixel(15, y), ColorScale::Viridis.color(position));
            seen.iter().zip(end).all(|(a, b)| a.abs_diff(b) <= 3)
        };
        assert!(near(top + 1, 1.0) && near(top + BAR_HEIGHT - 2, 0.0));
        assert!(near(top + BAR_HEIGHT / 2, 0.5));
    }

    #[test]
    fn numbers_stand_at_their_values() {
        let labels = |low, high| {
            bar(low, high)
                .ticks()
                .into_iter()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(0.5, 0.5), ["0.5"]);
        assert!(labels(f32::NAN, 1.0).is_empty());
        let positions: Vec<f32> = bar(-1.0, 1.0)
            .ticks()
            .into_iter()
            .map(|(position, _)| position)
            .collect();
        assert_eq!(positions, [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(bar(1.0, 0.0).ticks()[0].0, 1.0, "a range may run downwards");
    }
}
