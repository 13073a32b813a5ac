//! What the tests of inputs ask of a dataset.

use std::fs;
use std::path::Path;

use ibot_native::data::Dataset;
use image::{GrayImage, ImageFormat};

use crate::support::files::{encode, image_fixtures};

/// A small sound PNG of one shade.
pub fn png(shade: u8) -> Vec<u8> {
    encode(
        GrayImage::from_pixel(3, 2, image::Luma([shade])),
        ImageFormat::Png,
    )
}

/// A file of `tests/fixtures/images/`.
pub fn fixture(name: &str) -> Vec<u8> {
    fs::read(image_fixtures().join(name)).expect("a committed file")
}

/// A temporary folder with these files.
pub fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("writable");
    }
    folder
}

pub fn open(path: &Path) -> Dataset {
    Dataset::open(&path.display().to_string()).unwrap_or_else(|error| panic!("{error}"))
}

/// Why a dataset cannot be opened; the message names it.
pub fn refusal(path: &Path) -> String {
    let error = Dataset::open(&path.display().to_string())
        .expect_err("to be refused")
        .to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    error
}

/// What becomes of each image, by name: its size and first shade, or the message.
fn outcomes(data: &Dataset) -> Vec<(String, String)> {
    let outcome = |index| match data.load(index) {
        Ok(image) => format!(
            "{} x {}, {}",
            image.width(),
            image.height(),
            image.pixel(0, 0)[0]
        ),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(&*data.name(index)), "{message}");
            message
        }
    };
    (0..data.len())
        .map(|index| (data.name(index).into_owned(), outcome(index)))
        .collect()
}

/// Asserts that the images are these, each with this part of what [`outcomes`] says.
pub fn assert_outcomes(data: &Dataset, expected: &[(&str, &str)]) {
    let outcomes = outcomes(data);
    assert_eq!(outcomes.len(), expected.len(), "{outcomes:?}");
    for ((name, outcome), (expected_name, part)) in outcomes.iter().zip(expected) {
        assert!(
            name == expected_name && outcome.contains(part),
            "{name}: {outcome}, not {expected_name}: {part}"
        );
    }
}
