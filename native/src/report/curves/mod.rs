//! Charts of a run as one self-contained SVG: no script, no font, no network; light or dark as its
//! reader prefers.

mod chart;
mod data;
mod legend;
mod size;
mod svg;
mod thin;

pub use self::data::{Chart, ChartLine};
use self::size::{HEIGHT, WIDTH};
use self::svg::escape;

/// Between charts, in pixels as all lengths here.
const GAP: f64 = 18.0;
/// Around all charts.
const MARGIN: f64 = 24.0;
/// From the upper edge to the charts, where there is a title.
const HEADER: f64 = 62.0;
/// Charts beside each other.
const COLUMNS: usize = 2;

const STYLE: &str = include_str!("style.css");

/// Draws the charts, two a row, under a title.
pub fn curves_svg(title: &str, charts: &[Chart]) -> String {
    let columns = charts.len().clamp(1, COLUMNS);
    let rows = charts.len().div_ceil(columns).max(1);
    let header = if title.is_empty() { MARGIN } else { HEADER };
    let width = 2.0 * MARGIN + columns as f64 * (WIDTH + GAP) - GAP;
    let height = header + rows as f64 * (HEIGHT + GAP) - GAP + MARGIN;

    let title = escape(title);
    // Written by hand, because chart libraries put colors into every element, where a reader's
    // preference cannot change them.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"curves\" role=\"img\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title>{title}</title><style>\n{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"head\" x=\"{MARGIN}\" y=\"40\">{title}</text>\n"
    );
    for (index, chart) in charts.iter().enumerate() {
        let left = MARGIN + (index % columns) as f64 * (WIDTH + GAP);
        let top = header + (index / columns) as f64 * (HEIGHT + GAP);
        let drawn = chart.draw();
        svg += &format!("<g transform=\"translate({left} {top})\">{drawn}</g>\n");
    }
    if charts.is_empty() {
        svg += &svg::no_data(width / 2.0, header + HEIGHT / 2.0);
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            curves: vec![ChartLine {
                name: "a<b & \"c\"\u{0}".to_owned(),
                points,
            }],
            ..Chart::default()
        }
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
        let mut charts = vec![
            Chart::default(),
            chart(vec![]),
            chart(vec![(3.0, 0.5)]),
            chart(vec![(f64::NAN, 1.0)]),
        ];
        for x in extremes {
            charts.extend(extremes.map(|y| chart(vec![(x, y), (1.0, 2.0), (y, x)])));
            charts.push(Chart {
                references: vec![("level".to_owned(), x)],
                ..chart(vec![(x, x)])
            });
            charts.push(chart(vec![(x, x), (x, x)]));
        }
        charts.push(Chart {
            curves: vec![chart(vec![]).curves[0].clone(); 99],
            ..Chart::default()
        });

        let svg = curves_svg("", &charts);
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains('\u{0}'));
        assert!(
            svg.contains("a&lt;b &amp; &quot;c&quot; ")
                && svg.contains("no data yet")
                && svg.contains("<circle")
        );
        assert!(curves_svg("a & b", &[]).contains("<title>a &amp; b</title>"));
    }
}
