//! The legend of a chart.

use super::data::ChartLine;
use super::size::{PADDING, WIDTH};
use super::svg::{escape, shorten, text_width};
use super::thin::is_drawable;
use crate::report::axis::significant;

const ROWS: u32 = 3;
const ROW: f64 = 17.0;
/// Baseline of the first row.
const FIRST: f64 = 48.0;
/// Length of a swatch of a curve, and the gap behind it.
const SWATCH: f64 = 20.0;
const GAP: f64 = 16.0;
/// Space of the last row for the number of curves that were left out.
const MORE: f64 = 60.0;
/// Colors of the style sheet.
const COLORS: usize = 8;

/// The names of curves with their latest values, in rows.
pub(super) struct CurveLegend {
    pub svg: String,
    pub height: f64,
}

impl CurveLegend {
    pub fn new(curves: &[ChartLine]) -> Self {
        let mut svg = String::new();
        let mut x = PADDING;
        let mut row = 0;
        for (index, curve) in curves.iter().enumerate() {
            let name = shorten(&curve.name, 40);
            let value = latest(curve);
            let width = SWATCH + text_width(&name) + 6.0 + text_width(&value) + GAP;

            let is_last_row = row + 1 == ROWS;
            let reserved = if is_last_row && index + 1 < curves.len() {
                MORE
            } else {
                0.0
            };
            let is_full = x > PADDING && x + width > WIDTH - PADDING - reserved;
            if is_full && is_last_row {
                let y = FIRST + f64::from(row) * ROW;
                let more = curves.len() - index;
                svg +=
                    &format!("<text class=\"quiet\" x=\"{x:.1}\" y=\"{y}\">+{more} more</text>\n");
                break;
            }
            if is_full {
                x = PADDING;
                row += 1;
            }

            let y = FIRST + f64::from(row) * ROW;
            svg += &format!(
                "<path class=\"line {}\" d=\"M{x:.1} {:.1}h13\"/>\
                 <text class=\"legend\" x=\"{:.1}\" y=\"{y}\">{}<tspan class=\"quiet\" dx=\"6\">{value}</tspan></text>\n",
                color_class(index),
                y - 3.5,
                x + 19.0,
                escape(&name),
            );
            x += width;
        }

        let rows = if curves.is_empty() { 0 } else { row + 1 };
        Self {
            svg,
            height: f64::from(rows) * ROW,
        }
    }
}

fn latest(curve: &ChartLine) -> String {
    match curve.points.last() {
        Some(point) if is_drawable(point) => significant(point.1),
        // A run that diverged must not go on showing its last good value.
        Some(_) => "not finite".to_owned(),
        None => String::new(),
    }
}

/// Colors repeat after a while, paler.
pub(super) fn color_class(index: usize) -> String {
    let faded = if index < COLORS { "" } else { " faded" };
    format!("c{}{faded}", index % COLORS)
}
