//! Training curves as one self-contained SVG: no script, no font, no network; light or dark as its
//! reader prefers.

use super::axis::{Axis, significant};

/// One set of axes.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// What is shown.
    pub title: String,
    /// The unit of the vertical axis.
    pub unit: Option<String>,
    /// What runs along the horizontal axis.
    pub x_label: String,
    /// The curves.
    pub lines: Vec<Line>,
    /// Labelled levels to compare with, drawn as dashed horizontal lines.
    pub references: Vec<(String, f64)>,
}

/// One curve.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its points in drawing order. A point that is not finite interrupts the curve.
    pub points: Vec<(f64, f64)>,
}

impl Panel {
    /// Adds a point to the curve `name`, which is made if it is missing.
    pub fn add_point(&mut self, name: String, point: (f64, f64)) {
        match self.lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.points.push(point),
            None => self.lines.push(Line {
                name,
                points: vec![point],
            }),
        }
    }
}

const PANEL: (f64, f64) = (470.0, 300.0);
const GAP: f64 = 18.0;
const MARGIN: f64 = 24.0;
const PADDING: f64 = 18.0;
const COLORS: usize = 8;
/// More points than this cannot be told apart at a panel's width.
const MOST_POINTS: usize = 400;
const LEGEND_ROWS: u32 = 3;

const STYLE: &str = include_str!("curves/style.css");

/// Draws the panels, two a row, under a title.
pub fn curves_svg(title: &str, panels: &[Panel]) -> String {
    let columns = panels.len().clamp(1, 2);
    let rows = panels.len().div_ceil(columns).max(1);
    let header = if title.is_empty() { MARGIN } else { 62.0 };
    let width = 2.0 * MARGIN + columns as f64 * (PANEL.0 + GAP) - GAP;
    let height = header + rows as f64 * (PANEL.1 + GAP) - GAP + MARGIN;
    let title = escape(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"curves\" role=\"img\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title>{title}</title><style>\n{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"head\" x=\"{MARGIN}\" y=\"40\">{title}</text>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let left = MARGIN + (index % columns) as f64 * (PANEL.0 + GAP);
        let top = header + (index / columns) as f64 * (PANEL.1 + GAP);
        svg += &format!(
            "<g transform=\"translate({left} {top})\">{}</g>\n",
            draw_panel(panel)
        );
    }
    if panels.is_empty() {
        svg += &no_data(width / 2.0, header + PANEL.1 / 2.0);
    }
    svg + "</svg>\n"
}

fn draw_panel(panel: &Panel) -> String {
    let unit = panel.unit.as_deref().map_or(String::new(), |unit| {
        format!(
            "<tspan class=\"quiet\" dx=\"8\" font-size=\"11\" font-weight=\"400\">{}</tspan>",
            escape(unit)
        )
    });
    let title = escape(&shorten(&panel.title, 48));
    let mut svg = format!(
        "<rect class=\"card\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
         <text class=\"name\" x=\"{PADDING}\" y=\"28\">{title}{unit}</text>\n",
        PANEL.0 - 1.0,
        PANEL.1 - 1.0
    );
    let (legend, legend_rows) = draw_legend(&panel.lines);
    let references: Vec<_> = panel
        .references
        .iter()
        .filter(|(_, level)| drawable(*level))
        .collect();
    let longest = references
        .iter()
        .map(|(label, _)| text_width(&shorten(label, 18)))
        .fold(0.0, f64::max);
    let left = PADDING + 40.0;
    let right = PANEL.0
        - PADDING
        - if references.is_empty() {
            0.0
        } else {
            longest + 6.0
        };
    let top = 44.0 + f64::from(legend_rows) * 17.0;
    let bottom = PANEL.1 - 44.0;

    let points = || {
        panel
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .filter(|point| is_drawable(point))
    };
    let levels = || {
        points()
            .map(|point| point.1)
            .chain(references.iter().map(|(_, level)| *level))
    };
    if points().next().is_none() {
        return svg + &no_data(PANEL.0 / 2.0, PANEL.1 / 2.0);
    }
    let x_axis = Axis::new(points().map(|point| point.0), 0.0, left, right);
    let y_axis = Axis::new(levels(), 0.06, bottom, top);

    for (y, label) in y_axis.ticks(5.0) {
        let text_y = y + 4.0;
        svg += &format!("<path class=\"grid\" d=\"M{left} {y:.1}H{right:.1}\"/>");
        svg += &format!(
            "<text x=\"{}\" y=\"{text_y:.1}\" text-anchor=\"end\">{label}</text>\n",
            left - 8.0
        );
    }
    svg += &format!("<path class=\"axis\" d=\"M{left} {bottom}H{right:.1}\"/>\n");
    for (x, label) in x_axis.ticks(6.0) {
        svg += &format!("<path class=\"axis\" d=\"M{x:.1} {bottom}v4\"/>");
        svg += &format!(
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n",
            bottom + 17.0
        );
    }
    let (middle, x_label) = ((left + right) / 2.0, escape(&shorten(&panel.x_label, 60)));
    let below = bottom + 34.0;
    svg += &format!(
        "<text class=\"quiet\" x=\"{middle:.1}\" y=\"{below}\" text-anchor=\"middle\">{x_label}</text>\n"
    );
    svg += &legend;

    let mut marks: Vec<_> = references
        .iter()
        .map(|(label, level)| (y_axis.at(*level), label))
        .collect();
    marks.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut ceiling = f64::INFINITY;
    for (y, label) in marks {
        // Labels of neighbouring levels are pushed up until they no longer overlap.
        ceiling = (y + 4.0).min(ceiling - 12.0);
        let label = escape(&shorten(label, 18));
        svg += &format!("<path class=\"reference\" d=\"M{left} {y:.1}H{right:.1}\"/>");
        svg += &format!(
            "<text class=\"quiet\" x=\"{:.1}\" y=\"{ceiling:.1}\">{label}</text>\n",
            right + 6.0
        );
    }
    for (index, line) in panel.lines.iter().enumerate() {
        let (class, name) = (color_class(index), escape(&line.name));
        svg += &format!(
            "<g class=\"{class}\"><title>{name}</title>{}</g>\n",
            draw_line(line, &x_axis, &y_axis)
        );
    }
    svg
}

/// Names with their latest values, and the number of rows they take.
fn draw_legend(lines: &[Line]) -> (String, u32) {
    let (mut svg, mut x, mut row) = (String::new(), PADDING, 0);
    for (index, line) in lines.iter().enumerate() {
        let name = shorten(&line.name, 40);
        let value = match line.points.last() {
            Some(point) if is_drawable(point) => significant(point.1),
            // A run that diverged must not go on showing its last good value.
            Some(_) => "not finite".to_owned(),
            None => String::new(),
        };
        let width = 20.0 + text_width(&name) + 6.0 + text_width(&value) + 16.0;
        // The last row keeps room to say how many names were left out.
        let last_row = row + 1 == LEGEND_ROWS;
        let room = if last_row && index + 1 < lines.len() {
            60.0
        } else {
            0.0
        };
        let full = x > PADDING && x + width > PANEL.0 - PADDING - room;
        if full && !last_row {
            (x, row) = (PADDING, row + 1);
        }
        let y = 48.0 + f64::from(row) * 17.0;
        if full && last_row {
            svg += &format!(
                "<text class=\"quiet\" x=\"{x:.1}\" y=\"{y}\">+{} more</text>\n",
                lines.len() - index
            );
            break;
        }
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
    (svg, if lines.is_empty() { 0 } else { row + 1 })
}

fn draw_line(line: &Line, x_axis: &Axis, y_axis: &Axis) -> String {
    let (mut path, mut dots) = (String::new(), String::new());
    for run in thin(&line.points).split(|point| !is_drawable(point)) {
        for (index, (x, y)) in run
            .iter()
            .map(|(x, y)| (x_axis.at(*x), y_axis.at(*y)))
            .enumerate()
        {
            match index {
                0 if run.len() == 1 => {
                    dots +=
                        &format!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>")
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

/// Keeps the lowest and the highest point of each stretch, so that a spike survives however long
/// the run. A stretch with nothing to draw becomes one gap.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(MOST_POINTS);
    for stretch in points.chunks(points.len().div_ceil(MOST_POINTS / 2)) {
        let finite = || {
            stretch
                .iter()
                .enumerate()
                .filter(|(_, point)| is_drawable(point))
        };
        let low = finite().min_by(|a, b| a.1.1.total_cmp(&b.1.1));
        let high = finite().max_by(|a, b| a.1.1.total_cmp(&b.1.1));
        match low.zip(high) {
            None => kept.push((f64::NAN, f64::NAN)),
            Some((low, high)) if low.0 == high.0 => kept.push(*low.1),
            Some((low, high)) if low.0 < high.0 => kept.extend([*low.1, *high.1]),
            Some((low, high)) => kept.extend([*high.1, *low.1]),
        }
    }
    kept
}

/// Finite, and far enough from the largest numbers for a range of such values to be finite too.
fn drawable(value: f64) -> bool {
    value.abs() < 1e100
}

fn is_drawable(point: &(f64, f64)) -> bool {
    drawable(point.0) && drawable(point.1)
}

fn no_data(x: f64, y: f64) -> String {
    format!("<text class=\"quiet\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">no data yet</text>\n")
}

/// Colors repeat after a while, paler.
fn color_class(index: usize) -> String {
    format!(
        "c{}{}",
        index % COLORS,
        if index < COLORS { "" } else { " faded" }
    )
}

/// A guess, since an SVG cannot be measured before it is shown: what most system fonts take at 11
/// px.
fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 6.2
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars()
        .take(most.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// Escapes text for XML, which has no place at all for most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(f64, f64)>) -> Panel {
        Panel {
            lines: vec![Line {
                name: "a<b & \"c\"\u{0}".to_owned(),
                points,
            }],
            ..Panel::default()
        }
    }

    #[test]
    fn thinning_keeps_spikes_and_gaps() {
        let mut points: Vec<_> = (0..10_000).map(|step| (f64::from(step), 1.0)).collect();
        points[1234].1 = 99.0;
        points[1235].1 = -99.0;
        points[5000..6000].fill((5500.0, f64::NAN));
        let thinned = thin(&points);
        assert!(thinned.len() <= MOST_POINTS);
        assert!(thinned.contains(&points[1234]) && thinned.contains(&points[1235]));
        assert_eq!(
            thinned
                .split(|point| !is_drawable(point))
                .filter(|run| !run.is_empty())
                .count(),
            2
        );
    }

    #[test]
    fn any_input_is_drawn() {
        let extremes = [
            f64::NAN,
            f64::INFINITY,
            f64::MAX,
            -f64::MAX,
            f64::MIN_POSITIVE,
            1e99,
            -1e99,
            1e15,
            0.0,
            -0.0,
        ];
        let mut panels = vec![
            Panel::default(),
            panel(vec![]),
            panel(vec![(3.0, 0.5)]),
            panel(vec![(f64::NAN, 1.0)]),
        ];
        for x in extremes {
            panels.extend(extremes.map(|y| panel(vec![(x, y), (1.0, 2.0), (y, x)])));
            panels.push(Panel {
                references: vec![("level".to_owned(), x)],
                ..panel(vec![(x, x)])
            });
            panels.push(panel(vec![(x, x), (x, x)]));
        }
        panels.push(Panel {
            lines: vec![panel(vec![]).lines[0].clone(); 99],
            ..Panel::default()
        });
        let svg = curves_svg("", &panels);
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains('\u{0}'));
        assert!(
            svg.contains("a&lt;b &amp; &quot;c&quot; ")
                && svg.contains("no data yet")
                && svg.contains("<circle")
        );
        assert!(curves_svg("a & b", &[]).contains("<title>a &amp; b</title>"));
    }
}
