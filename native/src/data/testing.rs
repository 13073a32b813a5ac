//! Small files for the tests of this module.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, ImageFormat};

/// A picture without symmetry and, by `shade`, unlike others.
pub(super) fn picture(width: u32, height: u32, shade: u8) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        // At most 256 colors, so that GIF keeps them.
        image::Rgb([(x * 9 % 16 * 16) as u8, (y * 7 % 16 * 16) as u8, shade])
    })
}

pub(super) fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .into()
        .write_to(&mut bytes, format)
        .expect("encoding to memory");
    bytes.into_inner()
}

/// A PNG told from others by `shade`, the blue of all its pixels.
pub(super) fn png(shade: u8) -> Vec<u8> {
    encode(picture(3, 2, shade), ImageFormat::Png)
}

/// What gzip makes of `bytes`.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

/// An archive of the files of a folder.
pub(super) fn tar_of(folder: &Path) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(".", folder).expect("to memory");
    archive.into_inner().expect("to memory")
}

/// A MAT file of rows of numbers, not compressed.
pub(super) fn mat_of(variables: &[(&str, &[u16])]) -> Vec<u8> {
    let element = |kind: u32, bytes: &[u8]| {
        let tag = [kind, bytes.len() as u32].map(u32::to_le_bytes).concat();
        let mut element = [tag.as_slice(), bytes].concat();
        element.resize(element.len().next_multiple_of(8), 0);
        element
    };

    let mut file = vec![b' '; 124];
    file.extend_from_slice(&[0x00, 0x01, b'I', b'M']);
    for (name, numbers) in variables {
        let sizes = [1, numbers.len() as u32].map(u32::to_le_bytes).concat();
        let numbers: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let parts = [
            element(6, &[11, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &sizes),
            element(1, name.as_bytes()),
            element(4, &numbers),
        ];
        file.extend(element(14, &parts.concat()));
    }
    file
}

/// A file or folder in `tests/fixtures/datasets/`, which scripts/make_dataset_fixtures.py wrote.
pub(super) fn dataset_fixture(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = crates.expect("the folder of the workspace");
    root.join("tests/fixtures/datasets").join(name)
}

pub(super) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder above")).expect("making folders");
    fs::write(path, bytes).expect("writing a file");
}

/// A temporary folder with these PNGs, the n-th of shade n.
pub(super) fn tree(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (shade, name) in (0..).zip(names) {
        write(folder.path().join(name), png(shade));
    }
    folder
}

pub(super) fn spec(path: impl Into<PathBuf>) -> String {
    path.into()
        .into_os_string()
        .into_string()
        .expect("a temporary path in UTF-8")
}

pub(super) fn open(path: impl Into<PathBuf>) -> Result<super::Dataset, super::DataError> {
    super::Dataset::open(&spec(path))
}

/// The message of an open that must fail, with the path of the file or folder in it.
pub(super) fn failure(path: &Path) -> (super::DataError, String) {
    let error = open(path).expect_err("opening must fail");
    let message = error.to_string();
    assert!(
        message.contains(&spec(path)),
        "{message} does not name {}",
        path.display()
    );
    (error, message)
}

pub(super) fn names(data: &super::Dataset) -> Vec<String> {
    (0..data.len())
        .map(|index| data.name(index).into_owned())
        .collect()
}

pub(super) fn class_names(data: &super::Dataset) -> Vec<Option<&str>> {
    (0..data.len())
        .map(|index| {
            data.label(index)
                .map(|label| data.classes()[label].as_str())
        })
        .collect()
}

/// The shades of the images, in order: which file is which, by content.
pub(super) fn shades(data: &super::Dataset) -> Vec<u8> {
    (0..data.len())
        .map(|index| data.load(index).expect("a good image").pixel(0, 0)[2])
        .collect()
}
