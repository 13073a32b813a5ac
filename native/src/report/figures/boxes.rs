//! Photographs with boxes on them.

use ibot_core::annotation::boxes::BoundingBox;
use ibot_core::grid::Rect;
use ibot_core::image::RgbImage;

use super::fit::panel_image;
use crate::report::canvas::Page;
use crate::report::sheet::{DrawnSheet, LegendKey, Panel, Sheet, wrap};

/// An image with its boxes, in the pixels of an image of `size`.
#[derive(Clone, Debug)]
pub struct BoxPicture {
    /// At the size of a panel.
    pub image: RgbImage,
    /// Width and height for which the boxes were drawn.
    pub size: (usize, usize),
    /// Written above it.
    pub title: String,
    /// The true boxes.
    pub objects: Vec<BoundingBox>,
    /// The box that was found, if any.
    pub found: Option<BoundingBox>,
    /// Whether it is one of the true ones.
    pub right: bool,
}

/// Panels of a row.
const COLUMNS: usize = 6;
const OBJECT: [u8; 3] = [255, 255, 255];
const EDGE: [u8; 3] = [20, 22, 28];
const CORRECT: [u8; 3] = [0, 190, 110];
const WRONG: [u8; 3] = [224, 45, 45];

impl BoxPicture {
    /// The picture of `image` without boxes, which are in the pixels of an image of `size`; only a
    /// small copy is kept.
    pub fn of(image: &RgbImage, size: (usize, usize)) -> Self {
        Self {
            image: panel_image(image),
            size,
            title: String::new(),
            objects: Vec::new(),
            found: None,
            right: false,
        }
    }
}

/// Draws the images in rows, true boxes in white and found ones in color.
pub fn boxes(title: &str, note: &str, pictures: &[BoxPicture]) -> RgbImage {
    let mut panels = Vec::with_capacity(pictures.len());
    for picture in pictures {
        panels.push(Panel::new(&picture.title, vec![picture.image.clone()]));
    }
    let keys = [
        (OBJECT, "true box"),
        (CORRECT, "found, overlap of half or more"),
        (WRONG, "found, less"),
    ];
    let sheet = Sheet {
        title: title.to_owned(),
        note: note.to_owned(),
        rows: wrap(panels, COLUMNS),
        legend: keys
            .map(|(color, label)| LegendKey {
                color,
                label: label.to_owned(),
            })
            .to_vec(),
        ..Sheet::default()
    };

    let DrawnSheet { mut canvas, places } = sheet.draw();
    for (picture, places) in pictures.iter().zip(&places) {
        for place in places {
            for object in &picture.objects {
                let area = on_panel(object, picture.size, *place);
                // A dark edge shows a white box on a bright image.
                canvas.frame(grown(area), 4, EDGE);
                canvas.frame(area, 2, OBJECT);
            }
            if let Some(found) = &picture.found {
                let color = if picture.right { CORRECT } else { WRONG };
                draw_found(&mut canvas, on_panel(found, picture.size, *place), color);
            }
        }
    }
    canvas.into_image()
}

fn draw_found(canvas: &mut Page, area: Rect, color: [u8; 3]) {
    canvas.frame(grown(area), 5, EDGE);
    canvas.frame(area, 3, color);
}

/// A pixel more on all sides.
fn grown(area: Rect) -> Rect {
    Rect {
        left: area.left.saturating_sub(1),
        top: area.top.saturating_sub(1),
        width: area.width + 2,
        height: area.height + 2,
    }
}

/// Where a box lies on the page, whose image of `size` pixels fills `place`.
fn on_panel(bounds: &BoundingBox, size: (usize, usize), place: Rect) -> Rect {
    let across = place.width as f64 / size.0 as f64;
    let down = place.height as f64 / size.1 as f64;
    // Casts keep what is negative at 0.
    let left = (bounds.left * across).round() as usize;
    let top = (bounds.top * down).round() as usize;
    let right = ((bounds.right * across).round() as usize).min(place.width);
    let bottom = ((bounds.bottom * down).round() as usize).min(place.height);
    Rect {
        left: place.left + left,
        top: place.top + top,
        width: right.saturating_sub(left),
        height: bottom.saturating_sub(top),
    }
}
