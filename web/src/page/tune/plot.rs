//! Loss and accuracy against the step.

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::super::dom;
use super::super::problem::PageError;
use ibot_web::protocol::Point;

/// Room for numbers around a plot, in pixels.
const LEFT: f64 = 38.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 22.0;
/// Colors of the training and the validation images.
const TRAIN: &str = "#3f7be8";
const VALIDATION: &str = "#e8863f";

/// Below this width plots are one above the other.
const NARROW: f64 = 520.0;

/// Draws both plots over `total` steps or more, unless there is no room: in a tab that is not
/// shown.
///
/// # Errors
/// If the browser cannot draw.
pub fn curves(canvas: &HtmlCanvasElement, points: &[Point], total: usize) -> Result<(), PageError> {
    let (width, height) = (
        f64::from(canvas.client_width()),
        f64::from(canvas.client_height()),
    );
    if width < 1.0 {
        return Ok(());
    }
    let ratio = dom::window().device_pixel_ratio().clamp(1.0, 3.0);
    // Setting the size clears the canvas.
    canvas.set_width((width * ratio) as u32);
    canvas.set_height((height * ratio) as u32);
    let context = dom::context(canvas)?;
    context.scale(ratio, ratio)?;
    context.set_font("12px system-ui, sans-serif");
    context.set_line_join("round");
    let loss = |point: &Point| Some(point.loss);
    let looked = |point: &Point| point.validation;
    let losses = [
        (TRAIN, series(points, loss)),
        (
            VALIDATION,
            series(points, |point| looked(point).map(|(loss, _)| loss)),
        ),
    ];
    let shares = [
        (TRAIN, series(points, |point| point.accuracy)),
        (
            VALIDATION,
            series(points, |point| looked(point).map(|(_, share)| share)),
        ),
    ];
    let values = losses
        .iter()
        .flat_map(|(_, line)| line)
        .map(|(_, value)| *value);
    let highest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let steps = points
        .last()
        .map_or(0, |point| point.step)
        .max(total)
        .max(1) as f64;
    let (columns, rows) = if width < NARROW {
        (1.0, 2.0)
    } else {
        (2.0, 1.0)
    };
    let (width, height) = (width / columns, height / rows);
    let frame = |left: f64, up: f64, top: f64| Frame {
        left,
        up,
        width,
        height,
        steps,
        top,
    };
    frame(0.0, 0.0, round_up(highest)).draw(&context, "loss", &losses)?;
    frame(width * (columns - 1.0), height * (rows - 1.0), 1.0).draw(&context, "accuracy", &shares)
}

/// Steps and values of one line.
fn series(points: &[Point], value: impl Fn(&Point) -> Option<f64>) -> Vec<(f64, f64)> {
    points
        .iter()
        .filter_map(|point| Some((point.step as f64, value(point)?)))
        .collect()
}

/// The next value that reads well.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * unit)
        .into_iter()
        .find(|edge| *edge >= value)
        .unwrap_or(value)
}

/// Where a plot is, and what its axes reach to.
struct Frame {
    left: f64,
    up: f64,
    width: f64,
    height: f64,
    steps: f64,
    top: f64,
}

impl Frame {
    fn x(&self, step: f64) -> f64 {
        self.left + LEFT + step / self.steps * (self.width - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.up + self.height
            - BOTTOM
            - (value / self.top).clamp(0.0, 1.0) * (self.height - TOP - BOTTOM)
    }

    fn draw(
        &self,
        context: &CanvasRenderingContext2d,
        name: &str,
        lines: &[(&str, Vec<(f64, f64)>); 2],
    ) -> Result<(), PageError> {
        // Gray reads on light and on dark paper.
        context.set_fill_style_str("#8089a0");
        context.set_stroke_style_str("#8089a066");
        context.set_line_width(1.0);
        context.set_text_align("right");
        for part in 0..=4 {
            let value = self.top * f64::from(part) / 4.0;
            let y = self.y(value).round() + 0.5;
            line(
                context,
                [(self.x(0.0), y), (self.x(self.steps), y)].into_iter(),
            );
            context.fill_text(&format!("{value:.2}"), self.left + LEFT - 5.0, y + 4.0)?;
        }
        for part in 0..=2 {
            let step = (self.steps * f64::from(part) / 2.0).round();
            context.fill_text(
                &format!("{step}"),
                self.x(step) + 6.0,
                self.up + self.height - 5.0,
            )?;
        }
        context.set_text_align("left");
        context.fill_text(name, self.left + LEFT, self.up + 13.0)?;
        let mut x = self.left + LEFT + 70.0;
        for ((color, points), what) in lines.iter().zip(["training", "validation"]) {
            if points.is_empty() {
                continue;
            }
            context.set_fill_style_str(color);
            context.fill_text(what, x, self.up + 13.0)?;
            x += 62.0;
            context.set_stroke_style_str(color);
            context.set_line_width(1.8);
            line(
                context,
                points
                    .iter()
                    .map(|(step, value)| (self.x(*step), self.y(*value))),
            );
        }
        Ok(())
    }
}

fn line(context: &CanvasRenderingContext2d, points: impl Iterator<Item = (f64, f64)>) {
    context.begin_path();
    for (n, (x, y)) in points.enumerate() {
        if n == 0 {
            context.move_to(x, y)
        } else {
            context.line_to(x, y)
        }
    }
    context.stroke();
}
