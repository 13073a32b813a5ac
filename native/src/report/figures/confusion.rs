//! Which classes are taken for which.

use ibot_core::grid::Rect;
use ibot_core::image::RgbImage;
use ibot_core::metrics::Confusion;
use ibot_core::picture::ColorScale;

use crate::report::canvas::text::{Align, TextStyle};
use crate::report::canvas::{INK, PAPER, Page};

/// Longest side of the matrix, if its cells are not as small as they can be.
const SIDE: usize = 720;
const CELL: (usize, usize) = (3, 48);
/// Room for the names of classes.
const NAMES: usize = 160;
const MARGIN: usize = 24;
const HEADER: usize = 88;
/// Cells have numbers and rows have names from this side on.
const READABLE: usize = 24;

/// Draws a row for each of `classes`, whose places in the matrix are `places`: the share of its
/// images that are taken for each class.
pub fn confusion_picture(confusion: &Confusion, classes: &[String], places: &[usize]) -> RgbImage {
    let count = places.len().max(1);
    let cell = (SIDE / count).clamp(CELL.0, CELL.1);
    let left = MARGIN + if cell >= READABLE { NAMES } else { 0 };
    let side = count * cell;
    let mut page = Page::new((left + side + MARGIN).max(480), HEADER + side + MARGIN);

    page.text(MARGIN, 20, "Confusion matrix", TextStyle::HEAD, Align::Left);
    let note = "row: class of an image, column: class it is taken for, in percent of the row";
    page.text(MARGIN, 52, note, TextStyle::NOTE, Align::Left);

    for (row, place) in places.iter().enumerate() {
        let counts = confusion.row(*place);
        let images: usize = counts.iter().sum();
        let top = HEADER + row * cell;
        if cell >= READABLE {
            let name = TextStyle::NOTE.shorten(&classes[row], NAMES - 12);
            let baseline = top + (cell - TextStyle::NOTE.height()) / 2;
            page.text(left - 8, baseline, &name, TextStyle::NOTE, Align::Right);
        }

        for (column, taken) in places.iter().enumerate() {
            let share = counts[*taken] as f32 / images.max(1) as f32;
            let area = Rect {
                left: left + column * cell,
                top,
                width: cell,
                height: cell,
            };
            page.fill(area, ColorScale::Viridis.color(share));
            if cell >= READABLE && share >= 0.005 {
                let percent = format!("{:.0}", 100.0 * share);
                let style = TextStyle::NOTE.color(if share > 0.6 { INK } else { PAPER });
                let (x, y) = (area.left + cell / 2, top + (cell - style.height()) / 2);
                page.text(x, y, &percent, style, Align::Center);
            }
        }
    }
    page.into_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_what_its_class_is_taken_for() {
        let confusion = Confusion::new(2, [(0, 0), (1, 0), (1, 0)]);
        let names = ["a".to_owned(), "b".to_owned()];
        let picture = confusion_picture(&confusion, &names, &[0, 1]);
        // Near the corners of cells, where no number stands.
        let at = |row: usize, column: usize| {
            let x = MARGIN + NAMES + column * CELL.1 + 2;
            picture.pixel(x, HEADER + row * CELL.1 + 2)
        };
        let (all, none) = (
            ColorScale::Viridis.color(1.0),
            ColorScale::Viridis.color(0.0),
        );
        assert_eq!(
            [at(0, 0), at(0, 1), at(1, 0), at(1, 1)],
            [all, none, all, none]
        );
    }

    #[test]
    fn a_thousand_classes_have_a_picture() {
        let places: Vec<usize> = (0..1000).collect();
        let names = vec![String::new(); 1000];
        let picture = confusion_picture(&Confusion::new(1000, []), &names, &places);
        assert!(picture.width() < 3200 && picture.height() > 3000);
    }
}
