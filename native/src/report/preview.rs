//! A contact sheet of what the network sees: source images, their crops, and the masks laid on them.

use ibot_core::image::RgbImage;
use std::fs;
use std::path::{Path, PathBuf};

/// One source image and everything cut from it.
#[derive(Clone, Debug)]
pub struct PreviewRow<'a> {
    /// The image as decoded.
    pub original: &'a RgbImage,
    /// Its global crops.
    pub globals: &'a [RgbImage],
    /// For each global crop: patch rows, patch columns, and whether each patch is masked, row by row. Patches divide
    /// the crop evenly whatever its size; what a mask lacks counts as visible.
    pub masks: Vec<(usize, usize, &'a [bool])>,
    /// Its local crops.
    pub locals: &'a [RgbImage],
}

const BACKGROUND: [u8; 3] = [250, 250, 251];
const LETTERBOX: [u8; 3] = [233, 235, 239];
const MASKED: [u8; 3] = [128, 130, 136];
const MASK_GRID: [u8; 3] = [168, 170, 176];
const INK: [u8; 3] = [92, 98, 110];

const MARGIN: usize = 20;
/// Between pictures of one kind.
const GUTTER: usize = 6;
/// Between kinds of pictures, and between rows.
const GROUP_GUTTER: usize = 18;
/// Crops smaller than this are enlarged towards it.
const COMFORTABLE_SIDE: usize = 192;
/// Sheet pixels per font pixel.
const TEXT_SCALE: usize = 2;
const HEADER: usize = 7 * TEXT_SCALE + 10;

/// Draws a row for each source image: the original (letterboxed), its global crops, the same with masked patches
/// greyed out, and its local crops. All crops share one whole-number enlargement, so their sizes compare.
pub fn preview(rows: &[PreviewRow]) -> RgbImage {
    let largest = |crops: fn(&PreviewRow) -> usize| rows.iter().map(crops).max().unwrap_or(0);
    let global = largest(|row| longest_side(row.globals));
    let local = largest(|row| longest_side(row.locals));
    let scale = (COMFORTABLE_SIDE / global.max(local).max(1)).max(1);
    let cell = if global.max(local) == 0 { COMFORTABLE_SIDE } else { global.max(local) * scale };
    let global_count = largest(|row| row.globals.len());
    let local_count = largest(|row| row.locals.len());

    let small = (local * scale).max(1);
    // Two crops of half the side fit too: their gutter reaches into the space between rows.
    let stack = ((cell + 2 * GUTTER) / (small + GUTTER)).max(1);
    let globals_left = MARGIN + cell + GROUP_GUTTER;
    let group =
        |count: usize, side: usize| if count == 0 { 0 } else { count * (side + GUTTER) - GUTTER + GROUP_GUTTER };
    let masked_left = globals_left + group(global_count, cell);
    let locals_left = masked_left + group(global_count, cell);
    let locals_width = group(local_count.div_ceil(stack), small);
    let caption_width = if local_count == 0 { 0 } else { text_width("LOCALS") + GROUP_GUTTER };
    let width = locals_left + locals_width.max(caption_width) - GROUP_GUTTER + MARGIN;
    let height = HEADER + 2 * MARGIN + (rows.len() * (cell + GROUP_GUTTER)).saturating_sub(GROUP_GUTTER);

    let mut sheet = RgbImage::from_fn(width, height, |_, _| BACKGROUND);
    draw_text(&mut sheet, MARGIN, "ORIGINAL");
    for index in 0..global_count {
        let step = index * (cell + GUTTER);
        draw_text(&mut sheet, globals_left + step, &format!("GLOBAL {}", index + 1));
        draw_text(&mut sheet, masked_left + step, &format!("MASKED {}", index + 1));
    }
    if local_count > 0 {
        draw_text(&mut sheet, locals_left, "LOCALS");
    }
    for (index, row) in rows.iter().enumerate() {
        let top = MARGIN + HEADER + index * (cell + GROUP_GUTTER);
        draw_letterboxed(&mut sheet, (MARGIN, top), cell, row.original);
        for (index, crop) in row.globals.iter().enumerate() {
            let step = index * (cell + GUTTER);
            draw_crop(&mut sheet, (globals_left + step, top), scale, crop);
            draw_crop(&mut sheet, (masked_left + step, top), scale, crop);
            if let Some(&mask) = row.masks.get(index) {
                draw_mask(&mut sheet, (masked_left + step, top), (crop.width() * scale, crop.height() * scale), mask);
            }
        }
        for (index, crop) in row.locals.iter().enumerate() {
            let left = locals_left + index / stack * (small + GUTTER);
            draw_crop(&mut sheet, (left, top + index % stack * (small + GUTTER)), scale, crop);
        }
    }
    sheet
}

fn longest_side(images: &[RgbImage]) -> usize {
    images.iter().map(|image| image.width().max(image.height())).max().unwrap_or(0)
}

/// Sets the pixels of a rectangle; what lies outside the sheet is left out.
fn fill(
    sheet: &mut RgbImage,
    (left, top): (usize, usize),
    (width, height): (usize, usize),
    color: impl Fn(usize, usize) -> [u8; 3],
) {
    let (right, bottom) = ((left + width).min(sheet.width()), (top + height).min(sheet.height()));
    let stride = sheet.width();
    for y in top..bottom {
        for x in left..right {
            let at = (y * stride + x) * 3;
            sheet.pixels_mut()[at..at + 3].copy_from_slice(&color(x - left, y - top));
        }
    }
}

fn draw_crop(sheet: &mut RgbImage, at: (usize, usize), scale: usize, crop: &RgbImage) {
    let size = (crop.width() * scale, crop.height() * scale);
    fill(sheet, at, size, |x, y| crop.pixel(x / scale, y / scale));
}

/// Greys out masked patches, each outlined so that they can be counted.
fn draw_mask(sheet: &mut RgbImage, at: (usize, usize), size: (usize, usize), mask: (usize, usize, &[bool])) {
    let (rows, columns, masked) = mask;
    // A patch below two pixels would be nothing but outline.
    let outline = columns <= size.0 / 2 && rows <= size.1 / 2;
    for (index, _) in masked.iter().enumerate().filter(|(_, masked)| **masked) {
        // No columns is no mask: the division has no answer then.
        let Some(row) = index.checked_div(columns).filter(|row| *row < rows) else { break };
        let column = index % columns;
        let (left, right) = (column * size.0 / columns, (column + 1) * size.0 / columns);
        let (top, bottom) = (row * size.1 / rows, (row + 1) * size.1 / rows);
        fill(sheet, (at.0 + left, at.1 + top), (right - left, bottom - top), |x, y| {
            if outline && (x == 0 || y == 0) { MASK_GRID } else { MASKED }
        });
    }
}

/// Fits the whole image into a square cell, averaging the source pixels that fall on one sheet pixel.
fn draw_letterboxed(sheet: &mut RgbImage, at: (usize, usize), cell: usize, image: &RgbImage) {
    let (width, height) = (image.width(), image.height());
    let longest = width.max(height);
    let (fit_width, fit_height) = ((width * cell / longest).max(1), (height * cell / longest).max(1));
    let corner = (at.0 + (cell - fit_width) / 2, at.1 + (cell - fit_height) / 2);
    let span = |index: usize, from: usize, to: usize| {
        let start = index * from / to;
        start..((index + 1) * from / to).max(start + 1)
    };
    fill(sheet, at, (cell, cell), |_, _| LETTERBOX);
    fill(sheet, corner, (fit_width, fit_height), |x, y| {
        let (mut sum, mut count) = ([0_usize; 3], 0);
        for source_y in span(y, height, fit_height) {
            for source_x in span(x, width, fit_width) {
                let color = image.pixel(source_x, source_y);
                sum.iter_mut().zip(color).for_each(|(sum, channel)| *sum += usize::from(channel));
                count += 1;
            }
        }
        sum.map(|channel| (channel / count) as u8)
    });
}

/// The letters that captions need: five columns from left to right, lowest bit on top.
const FONT: [(char, [u8; 5]); 24] = [
    ('0', [0x3e, 0x51, 0x49, 0x45, 0x3e]),
    ('1', [0x00, 0x42, 0x7f, 0x40, 0x00]),
    ('2', [0x42, 0x61, 0x51, 0x49, 0x46]),
    ('3', [0x21, 0x41, 0x45, 0x4b, 0x31]),
    ('4', [0x18, 0x14, 0x12, 0x7f, 0x10]),
    ('5', [0x27, 0x45, 0x45, 0x45, 0x39]),
    ('6', [0x3c, 0x4a, 0x49, 0x49, 0x30]),
    ('7', [0x01, 0x71, 0x09, 0x05, 0x03]),
    ('8', [0x36, 0x49, 0x49, 0x49, 0x36]),
    ('9', [0x06, 0x49, 0x49, 0x29, 0x1e]),
    ('A', [0x7e, 0x11, 0x11, 0x11, 0x7e]),
    ('B', [0x7f, 0x49, 0x49, 0x49, 0x36]),
    ('C', [0x3e, 0x41, 0x41, 0x41, 0x22]),
    ('D', [0x7f, 0x41, 0x41, 0x22, 0x1c]),
    ('E', [0x7f, 0x49, 0x49, 0x49, 0x41]),
    ('G', [0x3e, 0x41, 0x49, 0x49, 0x7a]),
    ('I', [0x00, 0x41, 0x7f, 0x41, 0x00]),
    ('K', [0x7f, 0x08, 0x14, 0x22, 0x41]),
    ('L', [0x7f, 0x40, 0x40, 0x40, 0x40]),
    ('M', [0x7f, 0x02, 0x0c, 0x02, 0x7f]),
    ('N', [0x7f, 0x04, 0x08, 0x10, 0x7f]),
    ('O', [0x3e, 0x41, 0x41, 0x41, 0x3e]),
    ('R', [0x7f, 0x09, 0x19, 0x29, 0x46]),
    ('S', [0x46, 0x49, 0x49, 0x49, 0x31]),
];

fn text_width(text: &str) -> usize {
    text.len() * 6 * TEXT_SCALE
}

/// Writes a column's caption; a character without a glyph stays blank.
fn draw_text(sheet: &mut RgbImage, left: usize, text: &str) {
    for (index, letter) in text.chars().enumerate() {
        let glyph = FONT.iter().find(|(known, _)| *known == letter).map_or([0; 5], |(_, glyph)| *glyph);
        let at = (left + index * 6 * TEXT_SCALE, MARGIN);
        fill(sheet, at, (5 * TEXT_SCALE, 7 * TEXT_SCALE), |x, y| {
            if glyph[x / TEXT_SCALE] >> (y / TEXT_SCALE) & 1 == 1 { INK } else { BACKGROUND }
        });
    }
}

/// A picture that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the picture {}", path.display())]
pub struct SaveError {
    /// The file that was asked for.
    pub path: PathBuf,
    /// What went wrong.
    pub source: image::ImageError,
}

/// Writes `image` as a PNG, under a temporary name beside `path` that is then renamed: who watches the file never sees
/// half a picture, and an interrupted run keeps the previous one.
///
/// # Errors
/// If the file cannot be encoded, written or renamed.
pub fn save_png(image: &RgbImage, path: &Path) -> Result<(), SaveError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let (width, height) = (image.width() as u32, image.height() as u32);
    let format = image::ImageFormat::Png;
    image::save_buffer_with_format(&temporary, image.pixels(), width, height, image::ColorType::Rgb8, format)
        .and_then(|()| Ok(fs::rename(&temporary, path)?))
        .map_err(|source| {
            // The failure to report is the first one, not that of cleaning up.
            let _ = fs::remove_file(&temporary);
            SaveError { path: path.to_owned(), source }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width, height, |_, _| [200, 40, 40])
    }

    #[test]
    fn greys_out_the_masked_quarter() {
        let (original, globals, mask) = (plain(50, 30), [plain(32, 32)], [false, false, true, false]);
        let row = PreviewRow { original: &original, globals: &globals, masks: vec![(2, 2, &mask)], locals: &[] };
        let sheet = preview(&[row]);
        let count = |wanted| sheet.pixels().chunks(3).filter(|pixel| *pixel == wanted).count();
        // 32 pixels are shown as 192, a patch as 96, less its outline.
        assert_eq!(count(MASKED), 95 * 95);
        assert_eq!(count([200, 40, 40]), 192 * (192 * 30 / 50) + 192 * 192 + 192 * 192 * 3 / 4);
    }

    #[test]
    fn draws_something_for_any_input() {
        assert!(preview(&[]).height() > 0);
        let (original, globals, locals) = (plain(1, 5000), [plain(7, 300), plain(1, 1)], [plain(400, 3)]);
        for mask in [(0, 0), (0, 3), (3, 0), (2, 2), (1000, 1000), (usize::MAX, usize::MAX)] {
            for masked in [&[][..], &[true; 9]] {
                let masks = vec![(mask.0, mask.1, masked); 5];
                let alone = PreviewRow { original: &original, globals: &[], masks: vec![], locals: &[] };
                preview(&[alone, PreviewRow { original: &original, globals: &globals, masks, locals: &locals }]);
            }
        }
    }

    #[test]
    fn saves_what_reads_back_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("sheet.png");
        save_png(&plain(3, 2), &path).expect("saved");
        save_png(&plain(4, 2), &path).expect("replaced");
        let back = image::open(&path).expect("a PNG").into_rgb8();
        assert_eq!((back.width(), back.height(), back.as_raw().as_slice()), (4, 2, plain(4, 2).pixels()));
        save_png(&plain(1, 1), &dir.path().join("missing/sheet.png")).expect_err("no such directory");
        save_png(&plain(1, 1), dir.path()).expect_err("a directory");
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    }
}
