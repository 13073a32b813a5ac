//! Loss and accuracy against the step.

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use crate::page::dom;
use crate::page::problem::PageError;
use ibot_web::protocol::LessonStep;

/// Room for numbers around a plot, in CSS pixels.
const LEFT: f64 = 38.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 22.0;
/// From the start of the name and of each entry of the legend to the next, in CSS pixels.
const NAME_WIDTH: f64 = 70.0;
const ENTRY_WIDTH: f64 = 62.0;
// Below this width the plots are one below the other.
const NARROW: f64 = 520.0;

const TRAIN: &str = "#3f7be8";
const VALIDATION: &str = "#e8863f";
// Gray is readable on a light and on a dark page.
const TEXT: &str = "#8089a0";
const RULE: &str = "#8089a066";

type Line = Vec<(f64, f64)>;

/// Draws both plots over `total` steps or more.
pub fn curves(
    canvas: &HtmlCanvasElement,
    steps: &[LessonStep],
    total: usize,
) -> Result<(), PageError> {
    let width = f64::from(canvas.client_width());
    let height = f64::from(canvas.client_height());
    // A canvas in a tab that is not shown has no size.
    if width < 1.0 {
        return Ok(());
    }
    let context = dom::fresh_context(canvas, width, height)?;
    context.set_font("12px system-ui, sans-serif");
    context.set_line_join("round");

    let loss = [
        line(steps, |step| Some(step.loss)),
        line(steps, |step| step.validation.map(|(loss, _)| loss)),
    ];
    let accuracy = [
        line(steps, |step| step.accuracy),
        line(steps, |step| step.validation.map(|(_, accuracy)| accuracy)),
    ];

    let taken = steps.last().map_or(0, |step| step.number);
    let (columns, rows) = if width < NARROW {
        (1.0, 2.0)
    } else {
        (2.0, 1.0)
    };
    let first = StepPlot {
        left: 0.0,
        upper: 0.0,
        width: width / columns,
        height: height / rows,
        steps: taken.max(total).max(1) as f64,
        highest: round_up(highest(&loss)),
    };
    let second = StepPlot {
        left: first.width * (columns - 1.0),
        upper: first.height * (rows - 1.0),
        highest: 1.0,
        ..first
    };
    first.draw(&context, "loss", &loss)?;
    second.draw(&context, "accuracy", &accuracy)
}

fn line(steps: &[LessonStep], value: impl Fn(&LessonStep) -> Option<f64>) -> Line {
    let mut line = Vec::new();
    for step in steps {
        if let Some(value) = value(step) {
            line.push((step.number as f64, value));
        }
    }
    line
}

fn highest(lines: &[Line]) -> f64 {
    let values = lines.iter().flatten().map(|(_, value)| *value);
    values.filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// The next of 1, 2, 5, 10, 20, 50...
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    // 10, as the value may lie between 5 and the next power.
    let edges = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * unit);
    let edge = edges.into_iter().find(|edge| *edge >= value);
    // Rounding may leave the last edge just below the value.
    edge.unwrap_or(value)
}

/// Where a plot is, in CSS pixels, and the ends of its axes.
struct StepPlot {
    left: f64,
    upper: f64,
    width: f64,
    height: f64,
    steps: f64,
    highest: f64,
}

impl StepPlot {
    fn x(&self, step: f64) -> f64 {
        self.left + LEFT + step / self.steps * (self.width - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value / self.highest).clamp(0.0, 1.0);
        self.upper + self.height - BOTTOM - share * (self.height - TOP - BOTTOM)
    }

    fn draw(
        &self,
        context: &CanvasRenderingContext2d,
        name: &str,
        lines: &[Line; 2],
    ) -> Result<(), PageError> {
        self.draw_axes(context)?;

        let baseline = self.upper + 13.0;
        context.set_text_align("left");
        context.fill_text(name, self.left + LEFT, baseline)?;

        let names = [(TRAIN, "training"), (VALIDATION, "validation")];
        let mut x = self.left + LEFT + NAME_WIDTH;
        for (points, (color, name)) in lines.iter().zip(names) {
            if points.is_empty() {
                continue;
            }
            context.set_fill_style_str(color);
            context.fill_text(name, x, baseline)?;
            x += ENTRY_WIDTH;

            context.set_stroke_style_str(color);
            context.set_line_width(1.8);
            let points = points.iter();
            stroke(
                context,
                points.map(|(step, value)| (self.x(*step), self.y(*value))),
            );
        }
        Ok(())
    }

    fn draw_axes(&self, context: &CanvasRenderingContext2d) -> Result<(), PageError> {
        context.set_fill_style_str(TEXT);
        context.set_stroke_style_str(RULE);
        context.set_line_width(1.0);

        context.set_text_align("right");
        for quarter in 0..=4 {
            let value = self.highest * f64::from(quarter) / 4.0;
            // At half a pixel, a line of one pixel is sharp.
            let y = self.y(value).round() + 0.5;
            let ends = [(self.x(0.0), y), (self.x(self.steps), y)];
            stroke(context, ends.into_iter());
            context.fill_text(&format!("{value:.2}"), self.left + LEFT - 5.0, y + 4.0)?;
        }

        let bottom = self.upper + self.height - 5.0;
        for half in 0..=2 {
            let step = (self.steps * f64::from(half) / 2.0).round();
            context.fill_text(&format!("{step}"), self.x(step) + 6.0, bottom)?;
        }
        Ok(())
    }
}

fn stroke(context: &CanvasRenderingContext2d, points: impl Iterator<Item = (f64, f64)>) {
    context.begin_path();
    for (n, (x, y)) in points.enumerate() {
        if n == 0 {
            context.move_to(x, y);
        } else {
            context.line_to(x, y);
        }
    }
    context.stroke();
}
