//! An analysis as colors, marks and lines over the images.

use web_sys::HtmlCanvasElement;

use super::legend::ColorLegend;
use crate::page::problem::PageError;
use crate::page::{dom, pictures};
use ibot_web::protocol::{PerSlot, SLOTS};

#[derive(Default)]
pub struct Painted {
    /// Colors of the patches: a canvas with one pixel a patch.
    pub cells: PerSlot<HtmlCanvasElement>,
    /// Patches that are numbered from 1.
    pub marks: [Vec<usize>; SLOTS],
    /// Lines from patches of image 0 to patches of image 1, with a color in CSS.
    pub lines: Vec<(usize, usize, String)>,
    pub legend: ColorLegend,
}

impl Painted {
    pub fn with_legend(legend: ColorLegend) -> Self {
        Self {
            legend,
            ..Self::default()
        }
    }

    /// Colors the patches of an image: four bytes a patch, row by row.
    pub fn set_cells(
        &mut self,
        slot: usize,
        (rows, columns): (usize, usize),
        rgba: &[u8],
    ) -> Result<(), PageError> {
        let canvas = dom::canvas(columns as u32, rows as u32)?;
        pictures::put(&canvas, rgba)?;
        self.cells[slot] = Some(canvas);
        Ok(())
    }
}

pub fn css([r, g, b]: [u8; 3]) -> String {
    format!("rgb({r}, {g}, {b})")
}

pub fn opaque([r, g, b]: [u8; 3]) -> [u8; 4] {
    [r, g, b, 255]
}
