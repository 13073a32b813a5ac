//! The canvas that shows both images with what lies over them.

use std::cell::RefCell;

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use crate::page::dom;
use crate::page::problem::PageError;
use ibot_web::protocol::{PerSlot, SLOTS};

/// Space between and around images, in CSS pixels.
const GAP: f64 = 12.0;
/// Below this width the images stand one above the other.
const NARROW: f64 = 560.0;
/// Tallest that an image is shown.
const TALLEST: f64 = 480.0;
/// Color of numbered patches.
const MARK: &str = "#ffd54a";

/// What there is to draw.
#[derive(Clone, Default)]
pub struct Scene {
    /// The images.
    pub images: PerSlot<Image>,
    /// Lines from patches of image 0 to patches of image 1, with their color.
    pub lines: Vec<(usize, usize, String)>,
    /// The patch in question: slot and index.
    pub cursor: Option<(usize, usize)>,
    /// Opacity of what lies over the images, 0 to 1.
    pub opacity: f64,
    /// Whether colors run into each other rather than fill patches.
    pub smooth: bool,
}

/// An image and what lies over it.
#[derive(Clone)]
pub struct Image {
    /// The picture.
    pub picture: HtmlCanvasElement,
    /// Rows and columns of patches.
    pub grid: (usize, usize),
    /// A color for each patch: a canvas with a pixel for each.
    pub cells: Option<HtmlCanvasElement>,
    /// Patches that the student does not see.
    pub hidden: Vec<bool>,
    /// Patches to number from 1.
    pub marks: Vec<usize>,
}

/// Where an image is, in CSS pixels of the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    grid: (usize, usize),
}

impl Place {
    fn patch(&self, patch: usize) -> (f64, f64, f64, f64) {
        let (rows, columns) = self.grid;
        let (width, height) = (
            self.width / columns.max(1) as f64,
            self.height / rows.max(1) as f64,
        );
        let (row, column) = (patch / columns.max(1), patch % columns.max(1));
        (
            self.left + column as f64 * width,
            self.top + row as f64 * height,
            width,
            height,
        )
    }

    fn center(&self, patch: usize) -> (f64, f64) {
        let (left, top, width, height) = self.patch(patch);
        (left + width / 2.0, top + height / 2.0)
    }
}

/// The canvas.
pub struct Stage {
    canvas: HtmlCanvasElement,
    places: RefCell<PerSlot<Place>>,
}

impl Stage {
    /// On this canvas.
    pub fn new(canvas: HtmlCanvasElement) -> Self {
        Self {
            canvas,
            places: RefCell::default(),
        }
    }

    /// The canvas itself.
    pub fn canvas(&self) -> &HtmlCanvasElement {
        &self.canvas
    }

    /// The slot, and the patch if there is an image, at a point in CSS pixels of the canvas.
    pub fn at(&self, x: f64, y: f64) -> Option<(usize, usize)> {
        self.places
            .borrow()
            .iter()
            .enumerate()
            .find_map(|(slot, place)| {
                let place = place.as_ref()?;
                let (across, down) = (
                    (x - place.left) / place.width,
                    (y - place.top) / place.height,
                );
                let (rows, columns) = place.grid;
                let inside = (0.0..1.0).contains(&across)
                    && (0.0..1.0).contains(&down)
                    && rows * columns > 0;
                let index = |share: f64, count: usize| {
                    ((share * count as f64) as usize).min(count.saturating_sub(1))
                };
                inside.then(|| (slot, index(down, rows) * columns + index(across, columns)))
            })
    }

    /// The slot that a point is nearest to, whether or not it holds an image.
    pub fn slot_at(&self, x: f64, y: f64) -> usize {
        let (width, height) = (
            f64::from(self.canvas.client_width()),
            f64::from(self.canvas.client_height()),
        );
        let second = if width < NARROW {
            y > height / 2.0
        } else {
            x > width / 2.0
        };
        usize::from(second)
    }

    /// Draws everything anew, unless there is no room: in a tab that is not shown.
    pub fn draw(&self, scene: &Scene) -> Result<(), PageError> {
        let width = f64::from(self.canvas.client_width());
        if width < 1.0 {
            return Ok(());
        }
        let places = layout(scene, width);
        let bottom = places
            .iter()
            .flatten()
            .map(|place| place.top + place.height)
            .fold(0.0, f64::max);
        let height = (bottom + GAP).max(160.0);
        let ratio = dom::window().device_pixel_ratio().clamp(1.0, 3.0);
        // Setting the size clears the canvas.
        self.canvas.set_width((width * ratio) as u32);
        self.canvas.set_height((height * ratio) as u32);
        self.canvas
            .style()
            .set_property("height", &format!("{height}px"))?;
        let context = dom::context(&self.canvas)?;
        context.scale(ratio, ratio)?;
        for (image, place) in scene.images.iter().zip(&places) {
            if let (Some(image), Some(place)) = (image, place) {
                draw_image(&context, image, place, scene)?;
            }
        }
        if let [Some(first), Some(second)] = &places {
            draw_lines(&context, scene, first, second);
        }
        if let Some((slot, patch)) = scene.cursor
            && let Some(Some(place)) = places.get(slot)
        {
            frame(&context, place.patch(patch), "#000", 4.0);
            frame(&context, place.patch(patch), "#fff", 2.0);
        }
        *self.places.borrow_mut() = places;
        Ok(())
    }
}

/// Places images beside each other, or one above the other where there is little room.
fn layout(scene: &Scene, width: f64) -> PerSlot<Place> {
    let mut places = PerSlot::default();
    let narrow = width < NARROW;
    let room = if narrow {
        width
    } else {
        (width - GAP) / SLOTS as f64
    };
    let mut top = 0.0;
    for (slot, image) in scene.images.iter().enumerate() {
        let Some(image) = image else { continue };
        let aspect = f64::from(image.picture.height()) / f64::from(image.picture.width().max(1));
        let shown = room.min(TALLEST / aspect.max(1e-3));
        let left = if narrow {
            0.0
        } else {
            slot as f64 * (room + GAP)
        } + (room - shown) / 2.0;
        places[slot] = Some(Place {
            left,
            top,
            width: shown,
            height: shown * aspect,
            grid: image.grid,
        });
        if narrow {
            top += shown * aspect + GAP;
        }
    }
    places
}

fn draw_image(
    context: &CanvasRenderingContext2d,
    image: &Image,
    place: &Place,
    scene: &Scene,
) -> Result<(), PageError> {
    let draw = |source: &HtmlCanvasElement| {
        context.draw_image_with_html_canvas_element_and_dw_and_dh(
            source,
            place.left,
            place.top,
            place.width,
            place.height,
        )
    };
    context.set_image_smoothing_enabled(true);
    draw(&image.picture)?;
    if let Some(cells) = &image.cells {
        context.set_image_smoothing_enabled(scene.smooth);
        context.set_global_alpha(scene.opacity);
        draw(cells)?;
        context.set_global_alpha(1.0);
    }
    for (patch, _) in image
        .hidden
        .iter()
        .enumerate()
        .filter(|(_, hidden)| **hidden)
    {
        frame(
            context,
            place.patch(patch),
            "rgba(255, 255, 255, 0.55)",
            1.0,
        );
    }
    for (n, patch) in image.marks.iter().enumerate() {
        frame(context, place.patch(*patch), MARK, 2.0);
        badge(context, place.center(*patch), &(n + 1).to_string())?;
    }
    Ok(())
}

fn draw_lines(context: &CanvasRenderingContext2d, scene: &Scene, first: &Place, second: &Place) {
    for (from, to, color) in &scene.lines {
        let (start, end) = (first.center(*from), second.center(*to));
        for (style, width) in [("rgba(0, 0, 0, 0.6)", 4.0), (color.as_str(), 2.0)] {
            context.set_stroke_style_str(style);
            context.set_line_width(width);
            context.begin_path();
            context.move_to(start.0, start.1);
            context.line_to(end.0, end.1);
            context.stroke();
        }
        for (x, y) in [start, end] {
            context.set_fill_style_str(color);
            context.begin_path();
            // A whole circle is an arc that the canvas accepts.
            let _ = context.arc(x, y, 4.0, 0.0, std::f64::consts::TAU);
            context.fill();
        }
    }
}

fn frame(
    context: &CanvasRenderingContext2d,
    (left, top, width, height): (f64, f64, f64, f64),
    style: &str,
    line: f64,
) {
    context.set_stroke_style_str(style);
    context.set_line_width(line);
    context.stroke_rect(
        left + 0.5,
        top + 0.5,
        (width - 1.0).max(1.0),
        (height - 1.0).max(1.0),
    );
}

fn badge(
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
