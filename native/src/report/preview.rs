//! A contact sheet of what the network sees: source images, their crops, and the masks laid on
//! them.

use ibot_core::image::RgbImage;
use ibot_core::picture::patches::patch_rect;
use ibot_core::picture::{Interpolation, Rect, resize};

use super::canvas::text::{Align, Style};
use super::canvas::{Canvas, EMPTY};
pub use super::png::{SaveError, save_png};

/// One source image and everything cut from it.
#[derive(Clone, Debug)]
pub struct PreviewRow<'a> {
    /// The image as decoded.
    pub original: &'a RgbImage,
    /// Its global crops.
    pub globals: &'a [RgbImage],
    /// For each global crop: patch rows, patch columns, and whether each patch is masked, row by
    /// row. Patches divide the crop evenly whatever its size; what a mask lacks counts as visible.
    pub masks: Vec<(usize, usize, &'a [bool])>,
    /// Its local crops.
    pub locals: &'a [RgbImage],
}

const MASKED: [u8; 3] = [128, 130, 136];
const MASK_GRID: [u8; 3] = [168, 170, 176];

const MARGIN: usize = 20;
/// Between pictures of one kind.
const GUTTER: usize = 6;
/// Between kinds of pictures, and between rows.
const GROUP_GUTTER: usize = 18;
/// Crops smaller than this are enlarged towards it.
const COMFORTABLE_SIDE: usize = 192;
const CAPTION: Style = Style::NOTE;

/// Draws a row for each source image: the original (letterboxed), its global crops, the same with
/// masked patches grayed out, and its local crops. All crops share one whole-number enlargement, so
/// their sizes compare.
pub fn preview(rows: &[PreviewRow]) -> RgbImage {
    let largest = |crops: fn(&PreviewRow) -> usize| rows.iter().map(crops).max().unwrap_or(0);
    let global = largest(|row| longest_side(row.globals));
    let local = largest(|row| longest_side(row.locals));
    let scale = (COMFORTABLE_SIDE / global.max(local).max(1)).max(1);
    let cell = if global.max(local) == 0 {
        COMFORTABLE_SIDE
    } else {
        global.max(local) * scale
    };
    let global_count = largest(|row| row.globals.len());
    let local_count = largest(|row| row.locals.len());

    let small = (local * scale).max(1);
    // Two crops of half the side fit too: their gutter reaches into the space between rows.
    let stack = ((cell + 2 * GUTTER) / (small + GUTTER)).max(1);
    let globals_left = MARGIN + cell + GROUP_GUTTER;
    let group = |count: usize, side: usize| {
        if count == 0 {
            0
        } else {
            count * (side + GUTTER) - GUTTER + GROUP_GUTTER
        }
    };
    let masked_left = globals_left + group(global_count, cell);
    let locals_left = masked_left + group(global_count, cell);
    let locals_width = group(local_count.div_ceil(stack), small);
    let caption_width = if local_count == 0 {
        0
    } else {
        CAPTION.width("local crops") + GROUP_GUTTER
    };
    let width = locals_left + locals_width.max(caption_width) - GROUP_GUTTER + MARGIN;
    let header = CAPTION.height() + GUTTER;
    let height =
        header + 2 * MARGIN + (rows.len() * (cell + GROUP_GUTTER)).saturating_sub(GROUP_GUTTER);

    let mut sheet = Canvas::new(width, height);
    let mut caption =
        |left: usize, text: &str| sheet.text(left, MARGIN, text, CAPTION, Align::Left);
    caption(MARGIN, "original");
    for index in 0..global_count {
        let step = index * (cell + GUTTER);
        caption(globals_left + step, &format!("global crop {}", index + 1));
        caption(masked_left + step, &format!("masked {}", index + 1));
    }
    if local_count > 0 {
        caption(locals_left, "local crops");
    }
    for (index, row) in rows.iter().enumerate() {
        let top = MARGIN + header + index * (cell + GROUP_GUTTER);
        let place = Rect {
            left: MARGIN,
            top,
            width: cell,
            height: cell,
        };
        sheet.fill(place, EMPTY);
        sheet.place(place, row.original, Interpolation::Nearest);
        for (index, crop) in row.globals.iter().enumerate() {
            let step = index * (cell + GUTTER);
            draw_crop(&mut sheet, (globals_left + step, top), scale, crop);
            draw_crop(&mut sheet, (masked_left + step, top), scale, crop);
            if let Some(&mask) = row.masks.get(index) {
                draw_mask(
                    &mut sheet,
                    (masked_left + step, top),
                    (crop.width() * scale, crop.height() * scale),
                    mask,
                );
            }
        }
        for (index, crop) in row.locals.iter().enumerate() {
            let left = locals_left + index / stack * (small + GUTTER);
            draw_crop(
                &mut sheet,
                (left, top + index % stack * (small + GUTTER)),
                scale,
                crop,
            );
        }
    }
    sheet.into_image()
}

fn longest_side(images: &[RgbImage]) -> usize {
    images
        .iter()
        .map(|image| image.width().max(image.height()))
        .max()
        .unwrap_or(0)
}

fn draw_crop(sheet: &mut Canvas, (left, top): (usize, usize), scale: usize, crop: &RgbImage) {
    sheet.image(
        left,
        top,
        &resize(
            crop,
            crop.width() * scale,
            crop.height() * scale,
            Interpolation::Nearest,
        ),
    );
}

/// Grays out masked patches, each outlined so that they can be counted.
fn draw_mask(
    sheet: &mut Canvas,
    at: (usize, usize),
    size: (usize, usize),
    mask: (usize, usize, &[bool]),
) {
    let (rows, columns, masked) = mask;
    // A patch below two pixels would be nothing but outline.
    let outline = columns <= size.0 / 2 && rows <= size.1 / 2;
    for (index, _) in masked.iter().enumerate().filter(|(_, masked)| **masked) {
        // No columns is no mask: the division has no answer then.
        let Some(row) = index.checked_div(columns).filter(|row| *row < rows) else {
            break;
        };
        let patch = patch_rect((rows, columns), (row, index % columns), size);
        sheet.paint(
            Rect {
                left: at.0 + patch.left,
                top: at.1 + patch.top,
                ..patch
            },
            |x, y| {
                if outline && (x == 0 || y == 0) {
                    MASK_GRID
                } else {
                    MASKED
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width, height, |_, _| [200, 40, 40])
    }

    #[test]
    fn grays_out_the_masked_quarter() {
        let (original, globals, mask) =
            (plain(50, 30), [plain(32, 32)], [false, false, true, false]);
        let row = PreviewRow {
            original: &original,
            globals: &globals,
            masks: vec![(2, 2, &mask)],
            locals: &[],
        };
        let sheet = preview(&[row]);
        let count = |wanted| {
            sheet
                .pixels()
                .chunks(3)
                .filter(|pixel| *pixel == wanted)
                .count()
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
        let (original, globals, locals) = (
            plain(1, 5000),
            [plain(7, 300), plain(1, 1)],
            [plain(400, 3)],
        );
        for mask in [
            (0, 0),
            (0, 3),
            (3, 0),
            (2, 2),
            (1000, 1000),
            (usize::MAX, usize::MAX),
        ] {
            for masked in [&[][..], &[true; 9]] {
                let masks = vec![(mask.0, mask.1, masked); 5];
                let alone = PreviewRow {
                    original: &original,
                    globals: &[],
                    masks: vec![],
                    locals: &[],
                };
                preview(&[
                    alone,
                    PreviewRow {
                        original: &original,
                        globals: &globals,
                        masks,
                        locals: &locals,
                    },
                ]);
            }
        }
    }
}
