//! Text in Noto Sans Mono, pre-rasterised with smooth edges.

use std::borrow::Cow;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::shapes::Position;
use super::{INK, Page, QUIET};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextStyle {
    /// The height of a line.
    size: RasterHeight,
    weight: FontWeight,
    color: [u8; 3],
}

impl TextStyle {
    /// The title of a figure.
    pub const HEAD: Self = Self {
        size: RasterHeight::Size24,
        weight: FontWeight::Bold,
        color: INK,
    };
    /// The title of one of its panels.
    pub const TITLE: Self = Self {
        size: RasterHeight::Size20,
        weight: FontWeight::Regular,
        color: INK,
    };
    /// Remarks, captions and the numbers of a scale.
    pub const NOTE: Self = Self {
        size: RasterHeight::Size16,
        weight: FontWeight::Regular,
        color: QUIET,
    };
    /// Numbers on marks.
    pub const MARK: Self = Self {
        size: RasterHeight::Size16,
        weight: FontWeight::Bold,
        color: INK,
    };

    pub const fn color(self, color: [u8; 3]) -> Self {
        Self { color, ..self }
    }

    /// Pixels from the top of a line to its bottom.
    pub fn height(self) -> usize {
        self.size.val()
    }

    /// Pixels that `text` takes in a line.
    pub fn width(self, text: &str) -> usize {
        text.chars().count() * self.advance()
    }

    fn advance(self) -> usize {
        get_raster_width(self.weight, self.size)
    }

    /// `text`, or as much of it as fits `room` pixels with three dots behind it.
    pub fn shorten(self, text: &str, room: usize) -> Cow<'_, str> {
        if self.width(text) <= room {
            return Cow::Borrowed(text);
        }
        let most = room / self.advance();
        let kept = text.chars().take(most.saturating_sub(3));
        Cow::Owned(kept.chain(std::iter::repeat_n('.', most.min(3))).collect())
    }
}

/// Which part of a text a position is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    #[default]
    Left,
    Center,
    Right,
}

impl Page {
    /// Writes a line of text whose upper edge is at `top`.
    pub fn text(&mut self, x: usize, top: usize, text: &str, style: TextStyle, align: Align) {
        let width = style.width(text);
        let left = match align {
            Align::Left => x,
            // A text that would begin left of the canvas begins at its edge.
            Align::Center => x.saturating_sub(width / 2),
            Align::Right => x.saturating_sub(width),
        };
        for (index, letter) in text.chars().enumerate() {
            let left = left + index * style.advance();
            let known = get_raster(plain(letter), style.weight, style.size);
            // A sign that the font lacks is not left out, as words would run together.
            let Some(glyph) = known.or_else(|| get_raster('?', style.weight, style.size)) else {
                continue;
            };
            for (y, row) in glyph.rows().enumerate() {
                for (x, cover) in row.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                    self.blend(left + x, top + y, style.color, f32::from(*cover) / 255.0);
                }
            }
        }
    }

    /// Writes a line of capitals or digits with its middle at `center`.
    pub fn text_around(&mut self, (x, y): Position, text: &str, style: TextStyle) {
        // They stand above the middle of a line, which keeps room for descenders.
        let top = (y - style.height() as f32 * 0.47).round().max(0.0) as usize;
        self.text(x.round().max(0.0) as usize, top, text, style, Align::Center);
    }
}

/// Signs that the font lacks and others stand in for.
fn plain(letter: char) -> char {
    match letter {
        '\u{2212}' | '\u{2010}'..='\u{2015}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        letter if letter.is_whitespace() => ' ',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns and rows with anything on them.
    fn extent(canvas: &Page) -> Option<((usize, usize), (usize, usize))> {
        let image = &canvas.image;
        let dark = |x: usize, y: usize| image.pixel(x, y) != super::super::PAPER;
        let columns: Vec<usize> = (0..image.width())
            .filter(|x| (0..image.height()).any(|y| dark(*x, y)))
            .collect();
        let rows: Vec<usize> = (0..image.height())
            .filter(|y| (0..image.width()).any(|x| dark(x, *y)))
            .collect();
        Some((
            (*columns.first()?, *columns.last()?),
            (*rows.first()?, *rows.last()?),
        ))
    }

    #[test]
    fn text_stays_in_the_room_it_asks_for() {
        for style in [
            TextStyle::HEAD,
            TextStyle::TITLE,
            TextStyle::NOTE,
            TextStyle::MARK,
        ] {
            for text in ["MgjÅ|_", "0.125", "prototype 12 · 4.2 %"] {
                let (width, height) = (style.width(text), style.height());
                for (align, x) in [
                    (Align::Left, 10),
                    (Align::Center, 10 + width / 2),
                    (Align::Right, 10 + width),
                ] {
                    let mut canvas = Page::new(width + 20, height + 20);
                    canvas.text(x, 10, text, style, align);
                    let (columns, rows) = extent(&canvas).expect("letters");
                    assert!(
                        10 <= columns.0
                            && columns.1 < 10 + width
                            && 10 <= rows.0
                            && rows.1 < 10 + height
                    );
                }
            }
        }
    }

    #[test]
    fn every_letter_is_written() {
        let written = |letter: char| {
            let mut canvas = Page::new(20, 30);
            canvas.text(2, 2, &letter.to_string(), TextStyle::TITLE, Align::Left);
            canvas.into_image()
        };
        let blank = written(' ');
        let letters: Vec<char> = ('!'..='~').chain("°±µ·×äé".chars()).collect();
        for (index, letter) in letters.iter().enumerate() {
            assert_ne!(written(*letter), blank, "{letter}");
            assert!(
                letters[..index]
                    .iter()
                    .all(|other| written(*other) != written(*letter)),
                "{letter}"
            );
        }
        assert_eq!(written('漢'), written('?'));
        assert_eq!(written('−'), written('-'));
    }

    #[test]
    fn numbers_stand_in_the_middle_of_marks() {
        let mut canvas = Page::new(40, 40);
        canvas.text_around((20.0, 20.0), "8", TextStyle::MARK);
        let (columns, rows) = extent(&canvas).expect("a digit");
        assert!(
            (columns.0 + columns.1).abs_diff(39) <= 1 && (rows.0 + rows.1).abs_diff(39) <= 1,
            "{columns:?} {rows:?}"
        );
    }

    #[test]
    fn long_text_is_shortened() {
        let style = TextStyle::NOTE;
        assert_eq!(
            style.shorten("prototype", style.width("prototype")),
            "prototype"
        );
        assert_eq!(
            style.shorten("prototype", style.width("prototype") - 1),
            "proto..."
        );
        assert_eq!(style.shorten("prototype", style.width("..")), "..");
        assert_eq!(style.shorten("prototype", 0), "");
    }

    #[test]
    fn text_beyond_the_canvas_is_left_out() {
        let mut canvas = Page::new(5, 5);
        for x in [0, 3, 99, usize::MAX / 2] {
            canvas.text(x, x, "text", TextStyle::HEAD, Align::Center);
        }
        canvas.text_around((f32::NAN, -9.0), "text", TextStyle::HEAD);
    }
}
