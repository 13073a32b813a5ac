//! The files of CIFAR: images of 32 x 32 pixels with their labels, as Python pickled them or as
//! plain bytes.

use ibot_core::image::RgbImage;
use ibot_core::pickle::{Pickle, PlainValue};

/// Pixels of a side of an image.
pub const SIDE: usize = 32;
/// Bytes of an image: all of its red, then green, then blue.
const IMAGE: usize = 3 * SIDE * SIDE;
const PLANE: usize = SIDE * SIDE;

/// Images and their classes.
pub struct CifarBatch {
    pub labels: Vec<u32>,
    bytes: Vec<u8>,
    /// Bytes before the pixels of each image.
    before: usize,
}

impl CifarBatch {
    /// Reads a pickle whose dictionary has the pixels under `data` and the classes under `labels`.
    ///
    /// # Errors
    /// If it is damaged, or has something else under these keys.
    pub fn from_pickle(bytes: &[u8], labels: &str) -> Result<Self, String> {
        let pickle = Pickle::parse(bytes)
            .map_err(|error| format!("{error}; a batch of CIFAR is expected, download it again"))?;
        let root = pickle.root();
        let pixels = root
            .get("data")
            .and_then(|data| data.unsigned_bytes(bytes.len()));
        let pixels = pixels.ok_or("`data` is missing or no array of bytes")?;
        let numbers = root.get(labels).and_then(|list| list.numbers(pixels.len()));
        let numbers =
            numbers.ok_or_else(|| format!("`{labels}` is missing or no list of numbers"))?;

        if pixels.len() != numbers.len() * IMAGE {
            return Err(format!(
                "{} labels, but {} bytes of pixels, {IMAGE} an image; download it again",
                numbers.len(),
                pixels.len()
            ));
        }
        let mut classes = Vec::with_capacity(numbers.len());
        for number in numbers {
            if number.fract() != 0.0 || !(0.0..=255.0).contains(&number) {
                return Err(format!("label {number} is no class"));
            }
            classes.push(number as u32);
        }
        Ok(Self {
            labels: classes,
            bytes: pixels,
            before: 0,
        })
    }

    /// Reads the binary form: `labels` labels before each image, of which the last counts.
    ///
    /// # Errors
    /// If the bytes are not those of whole images.
    pub fn from_binary(bytes: Vec<u8>, labels: usize) -> Result<Self, String> {
        let record = labels + IMAGE;
        if !bytes.len().is_multiple_of(record) {
            return Err(format!(
                "{} bytes are no whole images of {record}; download it again",
                bytes.len()
            ));
        }
        let records = bytes.chunks_exact(record);
        Ok(Self {
            labels: records
                .map(|record| u32::from(record[labels - 1]))
                .collect(),
            bytes,
            before: labels,
        })
    }

    /// An image of the batch.
    ///
    /// # Panics
    /// Beyond the last.
    pub fn image(&self, index: usize) -> RgbImage {
        let from = index * (self.before + IMAGE) + self.before;
        let pixels = &self.bytes[from..from + IMAGE];
        RgbImage::from_fn(SIDE, SIDE, |x, y| {
            let pixel = y * SIDE + x;
            [
                pixels[pixel],
                pixels[PLANE + pixel],
                pixels[2 * PLANE + pixel],
            ]
        })
    }
}

/// The list of names under `key` of the pickle that says what classes are called.
///
/// # Errors
/// If it is damaged, or has something else under this key.
pub fn names_of_pickle(bytes: &[u8], key: &str) -> Result<Vec<String>, String> {
    let pickle = Pickle::parse(bytes).map_err(|error| format!("{error}; download it again"))?;
    let missing = || format!("`{key}` is missing or no list of names");
    let items = pickle.root().get(key).and_then(PlainValue::items);
    let mut names = Vec::new();
    for item in items.ok_or_else(missing)? {
        let name = item.text().filter(|_| names.len() < 256);
        names.push(name.ok_or_else(missing)?.to_owned());
    }
    Ok(names)
}

/// The names in a text file, one a line.
pub fn names_of_text(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}
