//! One chart: a card with a title, a legend, axes and curves.

use super::data::{Chart, ChartLine};
use super::legend::{CurveLegend, color_class};
use super::size::{HEIGHT, PADDING, WIDTH};
use super::svg::{escape, no_data, shorten, text_width};
use super::thin::{drawable, is_drawable, thin};
use crate::report::axis::Axis;

/// Width of the numbers of the vertical axis.
const NUMBERS: f64 = 40.0;
/// Height of the title, and of the numbers and the label of the horizontal axis.
const TITLE: f64 = 44.0;
const FOOTER: f64 = 44.0;
/// Length of a label of a reference, in characters.
const LABEL: usize = 18;

/// The axes of a chart; where they lie is part of them.
struct Plot {
    x: Axis,
    y: Axis,
    left: f64,
    right: f64,
    bottom: f64,
}

impl Chart {
    pub(super) fn draw(&self) -> String {
        let legend = CurveLegend::new(&self.curves);
        let Some(plot) = self.plot(TITLE + legend.height) else {
            return self.draw_card() + &no_data(WIDTH / 2.0, HEIGHT / 2.0);
        };

        let mut svg = self.draw_card();
        svg += &plot.draw_y_axis();
        svg += &plot.draw_x_axis(&self.x_label);
        svg += &legend.svg;
        svg += &plot.draw_references(&self.drawable_references());
        for (index, curve) in self.curves.iter().enumerate() {
            let (class, name) = (color_class(index), escape(&curve.name));
            let drawn = plot.draw_curve(curve);
            svg += &format!("<g class=\"{class}\"><title>{name}</title>{drawn}</g>\n");
        }
        svg
    }

    fn draw_card(&self) -> String {
        let title = escape(&shorten(&self.title, 48));
        let unit = self.unit.as_deref().map_or(String::new(), |unit| {
            let unit = escape(unit);
            format!(
                "<tspan class=\"quiet\" dx=\"8\" font-size=\"11\" font-weight=\"400\">{unit}</tspan>"
            )
        });
        format!(
            "<rect class=\"card\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
             <text class=\"name\" x=\"{PADDING}\" y=\"28\">{title}{unit}</text>\n",
            WIDTH - 1.0,
            HEIGHT - 1.0
        )
    }

    /// Axes that cover all curves and references; `None` if there is no point to draw.
    fn plot(&self, top: f64) -> Option<Plot> {
        let points: Vec<(f64, f64)> = self
            .curves
            .iter()
            .flat_map(|curve| &curve.points)
            .copied()
            .filter(is_drawable)
            .collect();
        if points.is_empty() {
            return None;
        }

        // The labels of references stand to the right of the axes.
        let references = self.drawable_references();
        let labels = references
            .iter()
            .map(|(label, _)| text_width(&shorten(label, LABEL)) + 6.0)
            .fold(0.0, f64::max);
        let left = PADDING + NUMBERS;
        let right = WIDTH - PADDING - labels;
        let bottom = HEIGHT - FOOTER;

        let levels = references.iter().map(|(_, level)| *level);
        let heights = points.iter().map(|point| point.1).chain(levels);
        Some(Plot {
            x: Axis::new(points.iter().map(|point| point.0), 0.0, left, right),
            y: Axis::new(heights, 0.06, bottom, top),
            left,
            right,
            bottom,
        })
    }

    fn drawable_references(&self) -> Vec<(&str, f64)> {
        let mut references = Vec::new();
        for (label, level) in &self.references {
            if drawable(*level) {
                references.push((label.as_str(), *level));
            }
        }
        references
    }
}

impl Plot {
    fn draw_y_axis(&self) -> String {
        let Self { left, right, .. } = self;
        let mut svg = String::new();
        for (y, label) in self.y.ticks(5.0) {
            let (text_x, text_y) = (left - 8.0, y + 4.0);
            svg += &format!(
                "<path class=\"grid\" d=\"M{left} {y:.1}H{right:.1}\"/>\
                 <text x=\"{text_x}\" y=\"{text_y:.1}\" text-anchor=\"end\">{label}</text>\n"
            );
        }
        svg
    }

    fn draw_x_axis(&self, label: &str) -> String {
        let Self {
            left,
            right,
            bottom,
            ..
        } = self;
        let mut svg = format!("<path class=\"axis\" d=\"M{left} {bottom}H{right:.1}\"/>\n");
        let below = bottom + 17.0;
        for (x, number) in self.x.ticks(6.0) {
            svg += &format!(
                "<path class=\"axis\" d=\"M{x:.1} {bottom}v4\"/>\
                 <text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\">{number}</text>\n"
            );
        }

        let (middle, below) = ((left + right) / 2.0, bottom + 34.0);
        let label = escape(&shorten(label, 60));
        svg += &format!(
            "<text class=\"quiet\" x=\"{middle:.1}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>\n"
        );
        svg
    }

    fn draw_references(&self, references: &[(&str, f64)]) -> String {
        let mut marks: Vec<(f64, &str)> = Vec::new();
        for (label, level) in references {
            marks.push((self.y.at(*level), *label));
        }
        marks.sort_by(|a, b| b.0.total_cmp(&a.0));

        let (left, right) = (self.left, self.right);
        let mut svg = String::new();
        let mut ceiling = f64::INFINITY;
        for (y, label) in marks {
            // Labels of levels that lie close together are pushed up, so that they do not overlap.
            ceiling = (y + 4.0).min(ceiling - 12.0);
            let label = escape(&shorten(label, LABEL));
            let x = right + 6.0;
            svg += &format!(
                "<path class=\"reference\" d=\"M{left} {y:.1}H{right:.1}\"/>\
                 <text class=\"quiet\" x=\"{x:.1}\" y=\"{ceiling:.1}\">{label}</text>\n"
            );
        }
        svg
    }

    fn draw_curve(&self, curve: &ChartLine) -> String {
        let mut path = String::new();
        let mut dots = String::new();
        for run in thin(&curve.points).split(|point| !is_drawable(point)) {
            for (index, point) in run.iter().enumerate() {
                let (x, y) = (self.x.at(point.0), self.y.at(point.1));
                match index {
                    // A point alone has no line.
                    0 if run.len() == 1 => {
                        dots += &format!(
                            "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"
                        );
                    }
                    0 => path += &format!("M{x:.1} {y:.1}"),
                    1 => path += &format!("L{x:.1} {y:.1}"),
                    _ => path += &format!(" {x:.1} {y:.1}"),
                }
            }
        }
        if path.is_empty() {
            dots
        } else {
            format!("<path class=\"line\" d=\"{path}\"/>{dots}")
        }
    }
}
