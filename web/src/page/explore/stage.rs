//! The canvas that shows both images with everything that is drawn over them.

use std::cell::RefCell;

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::drawing::{Area, Drawing, GAP, NARROW, Pane, Placement, layout};
use super::state::Cursor;
use crate::page::dom;
use crate::page::problem::PageError;
use ibot_web::protocol::PerSlot;

/// Least height of the canvas in CSS pixels.
const LOWEST: f64 = 160.0;
const MARK: &str = "#ffd54a";
const HIDDEN: &str = "rgba(255, 255, 255, 0.55)";
// Below each line, so that it stands out from an image of the same color.
const SHADOW: &str = "rgba(0, 0, 0, 0.6)";

pub struct Stage {
    canvas: HtmlCanvasElement,
    /// Where the images were drawn last.
    placements: RefCell<PerSlot<Placement>>,
}

impl Stage {
    pub fn new(canvas: HtmlCanvasElement) -> Self {
        Self {
            canvas,
            placements: RefCell::default(),
        }
    }

    pub fn canvas(&self) -> &HtmlCanvasElement {
        &self.canvas
    }

    /// At a point in CSS pixels of the canvas.
    pub fn patch_at(&self, x: f64, y: f64) -> Option<Cursor> {
        for (slot, placement) in self.placements.borrow().iter().enumerate() {
            if let Some(patch) = placement.and_then(|placement| placement.patch_at(x, y)) {
                return Some(Cursor { slot, patch });
            }
        }
        None
    }

    /// The slot that is nearest to a point, whether or not it holds an image.
    pub fn slot_at(&self, x: f64, y: f64) -> usize {
        let width = f64::from(self.canvas.client_width());
        let height = f64::from(self.canvas.client_height());
        let second = match width < NARROW {
            true => y > height / 2.0,
            false => x > width / 2.0,
        };
        usize::from(second)
    }

    pub fn draw(&self, drawing: &Drawing) -> Result<(), PageError> {
        let width = f64::from(self.canvas.client_width());
        // A canvas in a tab that is not shown has no size.
        if width < 1.0 {
            return Ok(());
        }

        let placements = layout(drawing, width);
        let areas = placements.iter().flatten().map(|placement| placement.area);
        let bottom = areas.map(|area| area.top + area.height).fold(0.0, f64::max);
        let height = (bottom + GAP).max(LOWEST);
        let context = dom::fresh_context(&self.canvas, width, height)?;
        let style = self.canvas.style();
        style.set_property("height", &format!("{height}px"))?;

        for (pane, placement) in drawing.panes.iter().zip(&placements) {
            if let (Some(pane), Some(placement)) = (pane, placement) {
                draw_pane(&context, pane, placement, drawing)?;
            }
        }
        if let [Some(first), Some(second)] = &placements {
            draw_lines(&context, drawing, first, second);
        }
        if let Some(Cursor { slot, patch }) = drawing.cursor
            && let Some(placement) = placements[slot]
        {
            // Black under white is seen on any image.
            draw_frame(&context, placement.patch(patch), "#000", 4.0);
            draw_frame(&context, placement.patch(patch), "#fff", 2.0);
        }

        self.placements.replace(placements);
        Ok(())
    }
}

fn draw_pane(
    context: &CanvasRenderingContext2d,
    pane: &Pane,
    placement: &Placement,
    drawing: &Drawing,
) -> Result<(), PageError> {
    context.set_image_smoothing_enabled(true);
    draw_picture(context, &pane.picture, placement.area)?;

    if let Some(cells) = &pane.cells {
        context.set_image_smoothing_enabled(drawing.smooth);
        context.set_global_alpha(drawing.opacity);
        draw_picture(context, cells, placement.area)?;
        context.set_global_alpha(1.0);
    }

    for (patch, hidden) in pane.hidden.iter().enumerate() {
        if *hidden {
            draw_frame(context, placement.patch(patch), HIDDEN, 1.0);
        }
    }
    for (n, patch) in pane.marks.iter().enumerate() {
        let area = placement.patch(*patch);
        draw_frame(context, area, MARK, 2.0);
        draw_badge(context, area.center(), &(n + 1).to_string())?;
    }
    Ok(())
}

fn draw_picture(
    context: &CanvasRenderingContext2d,
    picture: &HtmlCanvasElement,
    area: Area,
) -> Result<(), PageError> {
    context.draw_image_with_html_canvas_element_and_dw_and_dh(
        picture,
        area.left,
        area.top,
        area.width,
        area.height,
    )?;
    Ok(())
}

fn draw_lines(
    context: &CanvasRenderingContext2d,
    drawing: &Drawing,
    first: &Placement,
    second: &Placement,
) {
    for (from, to, color) in &drawing.lines {
        let start = first.patch(*from).center();
        let end = second.patch(*to).center();

        for (style, width) in [(SHADOW, 4.0), (color.as_str(), 2.0)] {
            context.set_stroke_style_str(style);
            context.set_line_width(width);
            context.begin_path();
            context.move_to(start.0, start.1);
            context.line_to(end.0, end.1);
            context.stroke();
        }

        context.set_fill_style_str(color);
        for (x, y) in [start, end] {
            context.begin_path();
            // A canvas accepts every arc with a radius of at least 0.
            let _ = context.arc(x, y, 4.0, 0.0, std::f64::consts::TAU);
            context.fill();
        }
    }
}

fn draw_frame(context: &CanvasRenderingContext2d, area: Area, style: &str, line: f64) {
    context.set_stroke_style_str(style);
    context.set_line_width(line);
    // Half a pixel inside, a line of one pixel is sharp.
    context.stroke_rect(
        area.left + 0.5,
        area.top + 0.5,
        (area.width - 1.0).max(1.0),
        (area.height - 1.0).max(1.0),
    );
}

fn draw_badge(
    context: &CanvasRenderingContext2d,
    (x, y): (f64, f64),
    label: &str,
) -> Result<(), PageError> {
    context.set_fill_style_str(MARK);
    context.begin_path();
    context.arc(x, y, 8.0, 0.0, std::f64::consts::TAU)?;
    context.fill();

    context.set_fill_style_str("#000");
    context.set_font("bold 11px system-ui, sans-serif");
    context.set_text_align("center");
    context.set_text_baseline("middle");
    Ok(context.fill_text(label, x, y)?)
}
