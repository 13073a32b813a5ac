//! A contact sheet of what the network sees: source images, their crops, and the masks laid on
//! them.

use ibot_core::grid::{Rect, patch_rect};
use ibot_core::image::RgbImage;
use ibot_core::picture::{Interpolation, resize};

use super::canvas::{Page, fit};
use super::sheet::{Panel, Sheet, SheetRow};

/// One source image and everything cut from it.
#[derive(Clone, Debug)]
pub struct PreviewRow<'a> {
    /// The image as decoded.
    pub original: &'a RgbImage,
    pub globals: &'a [RgbImage],
    /// The mask of each global crop.
    pub masks: Vec<PatchMask<'a>>,
    pub locals: &'a [RgbImage],
}

/// Which patches of a crop are masked. Patches divide the crop evenly whatever its size.
#[derive(Clone, Copy, Debug)]
pub struct PatchMask<'a> {
    pub rows: usize,
    pub columns: usize,
    /// Row by row; what is missing counts as visible.
    pub is_masked: &'a [bool],
}

const MASKED: [u8; 3] = [128, 130, 136];
const MASK_GRID: [u8; 3] = [168, 170, 176];

/// Crops smaller than this are enlarged towards it.
const COMFORTABLE_SIDE: usize = 192;

/// Draws a row for each source image: the original, its global crops, the same with masked patches
/// grayed out, and its local crops.
pub fn preview(rows: &[PreviewRow]) -> RgbImage {
    let globals = rows.iter().map(|row| longest_side(row.globals)).max();
    let locals = rows.iter().map(|row| longest_side(row.locals)).max();
    let (local, largest) = (locals.unwrap_or(0), globals.max(locals).unwrap_or(0));
    // One whole-number enlargement for all, so that sizes can be compared.
    let scale = (COMFORTABLE_SIDE / largest.max(1)).max(1);
    let cell = match largest {
        0 => COMFORTABLE_SIDE,
        side => side * scale,
    };
    // Local crops are stacked as far as they are not higher than a global crop.
    let stack = (cell / (local * scale).max(1)).max(1);

    let mut sheet = Sheet::default();
    for row in rows {
        let is_first = sheet.rows.is_empty();
        let mut panels = panels(row, cell, scale, stack);
        if !is_first {
            panels.iter_mut().for_each(|panel| panel.title.clear());
        }
        sheet.rows.push(SheetRow {
            panels,
            joined: false,
        });
    }
    sheet.into_image()
}

fn panels(row: &PreviewRow, cell: usize, scale: usize, stack: usize) -> Vec<Panel> {
    let (width, height) = fit((row.original.width(), row.original.height()), (cell, cell));
    let original = resize(row.original, width, height, Interpolation::Nearest);
    let mut panels = vec![Panel::new("original", vec![original])];

    let globals: Vec<RgbImage> = row.globals.iter().map(|c| enlarged(c, scale)).collect();
    for (index, crop) in globals.iter().enumerate() {
        let title = format!("global {}", index + 1);
        panels.push(Panel::new(title, vec![crop.clone()]));
    }
    for (index, crop) in globals.iter().enumerate() {
        let crop = match row.masks.get(index) {
            Some(mask) => masked(crop, *mask),
            None => crop.clone(),
        };
        panels.push(Panel::new(format!("masked {}", index + 1), vec![crop]));
    }
    for (index, crops) in row.locals.chunks(stack).enumerate() {
        let title = if index == 0 { "local" } else { "" };
        let crops = crops.iter().map(|crop| enlarged(crop, scale)).collect();
        panels.push(Panel::new(title, crops));
    }
    panels
}

fn longest_side(images: &[RgbImage]) -> usize {
    let sides = images.iter().map(|i| i.width().max(i.height()));
    sides.max().unwrap_or(0)
}

fn enlarged(crop: &RgbImage, scale: usize) -> RgbImage {
    let (width, height) = (crop.width() * scale, crop.height() * scale);
    resize(crop, width, height, Interpolation::Nearest)
}

/// Grays out masked patches, each outlined so that they can be counted.
fn masked(crop: &RgbImage, mask: PatchMask) -> RgbImage {
    let PatchMask { rows, columns, .. } = mask;
    let size = (crop.width(), crop.height());
    let mut canvas = Page::new(size.0, size.1);
    canvas.image(0, 0, crop);
    // A patch below two pixels would be nothing but outline.
    let has_outline = columns <= size.0 / 2 && rows <= size.1 / 2;
    for (index, is_masked) in mask.is_masked.iter().enumerate() {
        // A mask without columns has no patch; the division has no result then.
        let Some(row) = index.checked_div(columns).filter(|row| *row < rows) else {
            break;
        };
        if !is_masked {
            continue;
        }
        let patch: Rect = patch_rect((rows, columns), (row, index % columns), size);
        canvas.paint(patch, |x, y| {
            if has_outline && (x == 0 || y == 0) {
                MASK_GRID
            } else {
                MASKED
            }
        });
    }
    canvas.into_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width, height, |_, _| [200, 40, 40])
    }

    #[test]
    fn grays_out_the_masked_quarter() {
        let (original, globals) = (plain(50, 30), [plain(32, 32)]);
        let mask = PatchMask {
            rows: 2,
            columns: 2,
            is_masked: &[false, false, true, false],
        };
        let row = PreviewRow {
            original: &original,
            globals: &globals,
            masks: vec![mask],
            locals: &[],
        };
        let sheet = preview(&[row]);
        let count = |wanted| {
            let pixels = sheet.pixels().chunks(3);
            pixels.filter(|pixel| *pixel == wanted).count()
        };
        // 32 pixels are shown as 192, a patch as 96, less its outline.
        assert_eq!(count(MASKED), 95 * 95);
        assert_eq!(
            count([200, 40, 40]),
            192 * (192 * 30 / 50) + 192 * 192 + 192 * 192 * 3 / 4
        );
    }

    #[test]
    fn draws_something_for_any_input() {
        assert!(preview(&[]).height() > 0);
        let original = plain(1, 5000);
        let globals = [plain(7, 300), plain(1, 1)];
        let locals = [plain(400, 3)];
        let most = usize::MAX;
        for (rows, columns) in [(0, 0), (0, 3), (3, 0), (2, 2), (1000, 1000), (most, most)] {
            for is_masked in [&[][..], &[true; 9]] {
                let mask = PatchMask {
                    rows,
                    columns,
                    is_masked,
                };
                let alone = PreviewRow {
                    original: &original,
                    globals: &[],
                    masks: vec![],
                    locals: &[],
                };
                let all = PreviewRow {
                    original: &original,
                    globals: &globals,
                    masks: vec![mask; 5],
                    locals: &locals,
                };
                preview(&[alone, all]);
            }
        }
    }
}
