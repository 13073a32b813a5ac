//! The IDX files of MNIST and its relatives: gray images of one size behind a header, labels in a
//! second file. Both may be compressed by gzip, as they are published.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ibot_core::image::RgbImage;

use super::positioned::PositionedFile;
use crate::data::classes::Classes;
use crate::data::dataset::{Dataset, ImageSource};
use crate::data::decode::{DecodeError, MAX_BYTES};
use crate::data::error::{DataError, LoadCause};

/// The first bytes of a file of images: unsigned bytes in three dimensions.
pub const IMAGES_MAGIC: [u8; 4] = [0, 0, 8, 3];
/// The first bytes of a file of labels: unsigned bytes in one dimension.
pub const LABELS_MAGIC: [u8; 4] = [0, 0, 8, 1];

const IMAGES_HEADER: u64 = 16;
const LABELS_HEADER: u64 = 8;

/// How the files of a folder start, by the split asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdxSplit {
    Train,
    Test,
}

impl IdxSplit {
    fn stem(self) -> &'static str {
        match self {
            Self::Train => "train-images",
            Self::Test => "t10k-images",
        }
    }
}

struct GrayImages {
    file: PositionedFile,
    name: String,
    len: usize,
    width: usize,
    height: usize,
}

/// The images file of `split` in `folder`, if there is one.
pub fn find(folder: &Path, split: IdxSplit) -> Option<PathBuf> {
    let stem = split.stem();
    let names = [
        format!("{stem}-idx3-ubyte"),
        format!("{stem}.idx3-ubyte"),
        format!("{stem}-idx3-ubyte.gz"),
        format!("{stem}.idx3-ubyte.gz"),
    ];
    let paths = names.into_iter().map(|name| folder.join(name));
    paths.into_iter().find(|path| path.is_file())
}

/// Why a folder of the MNIST family has no images of `split`; `None` if it is no such folder.
pub fn obstacle(folder: &Path, split: IdxSplit) -> Option<DataError> {
    find(folder, IdxSplit::Test).filter(|_| split == IdxSplit::Train)?;

    let advice = format!(
        "it holds test images only (t10k-images); write {}:test for those, or add train-images-idx3-ubyte",
        folder.display()
    );
    Some(DataError::Unsupported {
        path: folder.to_owned(),
        advice,
    })
}

/// Opens a file of images, with the labels beside it if they are there.
pub fn open(path: &Path) -> Result<Dataset, DataError> {
    let file = PositionedFile::open(path)?;
    let length = file.len();
    if length < IMAGES_HEADER {
        return Err(DataError::idx(
            path,
            format!("{length} bytes are too few for an IDX header; download it again"),
        ));
    }
    let header = file.bytes(0, IMAGES_HEADER).map_err(unreadable(path))?;
    let [magic, len, height, width] = words(&header);
    if magic != u32::from_be_bytes(IMAGES_MAGIC) {
        return Err(DataError::idx(
            path,
            format!(
                "starts with {magic:#010x}, not 0x00000803, so it holds no IDX images of bytes"
            ),
        ));
    }

    // The numbers of the header can be anything: their product is computed in 128 bits, and used
    // only if the file has that length.
    let expected =
        u128::from(IMAGES_HEADER) + u128::from(len) * u128::from(height) * u128::from(width);
    if expected != u128::from(length) {
        let claim =
            format!("the header claims {len} images of {width} x {height}, so {expected} bytes");
        return Err(DataError::idx(
            path,
            format!("{claim}, but the file has {length}; download or unpack it again"),
        ));
    }
    if len == 0 || height == 0 || width == 0 {
        let looked_for = format!("IDX images; the header says {len} images of {width} x {height}");
        return Err(DataError::Empty {
            path: path.to_owned(),
            looked_for,
        });
    }

    let classes = match labels_beside(path) {
        Some(labels) => read_labels(&labels, len)?,
        None => Classes::default(),
    };
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let images = GrayImages {
        file,
        name,
        len: len as usize,
        width: width as usize,
        height: height as usize,
    };
    Ok(Dataset::new("IDX file", path, classes, images))
}

fn words<const N: usize>(header: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(header.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, &byte| word << 8 | u32::from(byte));
    }
    words
}

/// The labels file that goes with an images file, by its name.
fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name().unwrap_or_default().to_string_lossy();
    if !name.contains("images") {
        return None;
    }
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let name = name.replace("images", "labels").replace("idx3", "idx1");
    let others = [
        name.replace(".idx1", "-idx1"),
        name.replace("-idx1", ".idx1"),
    ];

    for name in std::iter::once(name).chain(others) {
        for end in ["", ".gz"] {
            let path = images.with_file_name(format!("{name}{end}"));
            if path.is_file() {
                return Some(path);
            }
        }
    }
    None
}

fn read_labels(path: &Path, images: u32) -> Result<Classes, DataError> {
    let file = PositionedFile::open(path)?;
    let length = file.len();
    // One byte an image: the length is known before anything is read.
    if length != LABELS_HEADER + u64::from(images) {
        let expected = LABELS_HEADER + u64::from(images);
        return Err(DataError::idx(
            path,
            format!(
                "labels for {images} images take {expected} bytes, but the file has {length}; download both files again"
            ),
        ));
    }

    let header = file.bytes(0, LABELS_HEADER).map_err(unreadable(path))?;
    let labels = file.bytes(LABELS_HEADER, u64::from(images));
    let labels = labels.map_err(unreadable(path))?;
    let [magic, len] = words(&header);
    if magic != u32::from_be_bytes(LABELS_MAGIC) || len != images {
        return Err(DataError::idx(
            path,
            format!(
                "the header {magic:#010x} with {len} labels does not match 0x00000801 with {images}; download it again"
            ),
        ));
    }
    Ok(Classes::from_numbers(
        labels.iter().map(|&label| u32::from(label)).collect(),
    ))
}

fn unreadable(path: &Path) -> impl FnOnce(LoadCause) -> DataError {
    move |cause| DataError::idx(path, cause.to_string())
}

impl ImageSource for GrayImages {
    fn len(&self) -> usize {
        self.len
    }

    fn name(&self, index: usize) -> Cow<'_, str> {
        Cow::Owned(format!("{}#{index}", self.name))
    }

    fn load(&self, index: usize) -> Result<RgbImage, LoadCause> {
        let (width, height) = (self.width, self.height);
        let size = (width as u64) * (height as u64);
        if size * 3 > MAX_BYTES {
            let size = format!("{width} x {height} pixels");
            return Err(LoadCause::Decode(DecodeError::TooLarge { size }));
        }
        let grays = self.file.bytes(IMAGES_HEADER + index as u64 * size, size)?;
        let pixels = grays.into_iter().flat_map(|gray| [gray; 3]).collect();
        RgbImage::new(width, height, pixels).map_err(|error| {
            LoadCause::Decode(DecodeError::Damaged {
                format: "IDX".to_owned(),
                problem: error.to_string(),
            })
        })
    }
}

#[cfg(test)]
mod tests;
