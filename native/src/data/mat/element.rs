//! Data elements, of which a MAT file consists: a type, a length and bytes.

use super::error::Fault;

pub const MATRIX: u32 = 14;
pub const COMPRESSED: u32 = 15;
/// Most bytes of the sizes of an array: more axes than any has.
const MAX_SIZES: usize = 256;
const UTF8: u32 = 16;
const UTF16: u32 = 17;
const UTF32: u32 = 18;

/// A data element.
#[derive(Clone, Copy)]
pub struct MatElement<'a> {
    /// The number of its type.
    pub kind: u32,
    pub bytes: &'a [u8],
    /// Where its bytes begin.
    pub at: usize,
    big_endian: bool,
}

/// The elements in some bytes, one after another.
pub struct MatElements<'a> {
    rest: &'a [u8],
    /// Where the rest begins.
    at: usize,
    big_endian: bool,
}

impl<'a> MatElements<'a> {
    /// The elements in `bytes`, which begin at byte `at` of something.
    pub fn new(bytes: &'a [u8], at: usize, big_endian: bool) -> Self {
        Self {
            rest: bytes,
            at,
            big_endian,
        }
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Where the next element begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next element; `None` at the end.
    pub fn read(&mut self) -> Result<Option<MatElement<'a>>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Some((tag, _)) = self.rest.split_first_chunk::<8>() else {
            let problem = format!(
                "{} bytes are too few for the tag of an element",
                self.left()
            );
            return Err(Fault::new(self.at, problem));
        };

        let [first, second] = [0, 4].map(|from| self.word(&tag[from..from + 4]));
        // A length in the upper half of the type means that the bytes stand in the tag.
        let is_small = first >> 16 != 0;
        let (kind, len, from) = match is_small {
            true => (first & 0xffff, (first >> 16) as usize, 4),
            false => (first, second as usize, 8),
        };
        let most = if is_small { 4 } else { usize::MAX };
        let bytes = self.rest.get(from..).and_then(|rest| rest.get(..len));
        let Some(bytes) = bytes.filter(|_| len <= most) else {
            let problem = format!(
                "an element claims {len} bytes, but {} are left",
                most.min(self.left() - from)
            );
            return Err(Fault::new(self.at, problem));
        };

        let element = MatElement {
            kind,
            bytes,
            at: self.at + from,
            big_endian: self.big_endian,
        };
        // MatElements begin at multiples of 8 bytes, except after compressed ones.
        let end = match kind {
            COMPRESSED => from + len,
            _ => (from + len).next_multiple_of(8),
        };
        let end = end.min(self.rest.len());
        self.rest = &self.rest[end..];
        self.at += end;
        Ok(Some(element))
    }

    /// The next element, which has to be there; `what` names it in messages.
    pub fn required(&mut self, what: &str) -> Result<MatElement<'a>, Fault> {
        let at = self.at;
        let missing = || Fault::new(at, format!("{what} is missing"));
        self.read()?.ok_or_else(missing)
    }

    fn word(&self, bytes: &[u8]) -> u32 {
        number_of(bytes, self.big_endian) as u32
    }
}

impl<'a> MatElement<'a> {
    /// The elements inside.
    pub fn inside(&self) -> MatElements<'a> {
        MatElements::new(self.bytes, self.at, self.big_endian)
    }

    /// The numbers of the element, whatever their type.
    pub fn numbers(&self) -> Result<Vec<f64>, Fault> {
        let size = match self.kind {
            1 | 2 => 1,
            3 | 4 => 2,
            5..=7 => 4,
            9 | 12 | 13 => 8,
            other => {
                let problem = format!("numbers are expected here, not an element of type {other}");
                return Err(Fault::new(self.at, problem));
            }
        };
        if !self.bytes.len().is_multiple_of(size) {
            let problem = format!("{} bytes are no numbers of {size}", self.bytes.len());
            return Err(Fault::new(self.at, problem));
        }

        let mut numbers = Vec::with_capacity(self.bytes.len() / size);
        for bytes in self.bytes.chunks_exact(size) {
            let bits = number_of(bytes, self.big_endian);
            numbers.push(match self.kind {
                1 => f64::from(bits as i8),
                3 => f64::from(bits as i16),
                5 => f64::from(bits as i32),
                7 => f64::from(f32::from_bits(bits as u32)),
                9 => f64::from_bits(bits),
                12 => bits as i64 as f64,
                _ => bits as f64,
            });
        }
        Ok(numbers)
    }

    /// The sizes of an array along its axes, and its length.
    pub fn dimensions(&self) -> Result<(Vec<usize>, usize), Fault> {
        if self.bytes.len() > MAX_SIZES {
            return Err(Fault::new(self.at, "an array has too many axes"));
        }
        let mut sizes = Vec::new();
        let mut len = Some(1_usize);
        for number in self.numbers()? {
            // A negative size is none.
            let size = number as usize;
            sizes.push(size);
            len = len.and_then(|len| len.checked_mul(size));
        }
        match len {
            Some(len) if sizes.len() >= 2 => Ok((sizes, len)),
            _ => Err(Fault::new(self.at, "these are no sizes of an array")),
        }
    }

    /// The characters of the element.
    pub fn text(&self) -> Result<String, Fault> {
        let text = match self.kind {
            1 | 2 => Some(self.bytes.iter().map(|&byte| char::from(byte)).collect()),
            UTF8 => std::str::from_utf8(self.bytes).ok().map(str::to_owned),
            4 | UTF16 => {
                let units = self.bytes.chunks_exact(2);
                let units = units.map(|unit| number_of(unit, self.big_endian) as u16);
                char::decode_utf16(units).collect::<Result<_, _>>().ok()
            }
            6 | UTF32 => {
                let units = self.bytes.chunks_exact(4);
                let units = units.map(|unit| number_of(unit, self.big_endian) as u32);
                units.map(char::from_u32).collect()
            }
            _ => None,
        };
        text.ok_or_else(|| Fault::new(self.at, "characters are expected here"))
    }
}

/// The unsigned number in at most 8 bytes.
fn number_of(bytes: &[u8], big_endian: bool) -> u64 {
    let mut number = 0;
    for place in 0..bytes.len() {
        let most_significant_first = match big_endian {
            true => place,
            false => bytes.len() - 1 - place,
        };
        number = number << 8 | u64::from(bytes[most_significant_first]);
    }
    number
}
