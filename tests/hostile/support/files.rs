//! Files of images and archives as tests make them, and the folder of those made elsewhere.

use std::io::Cursor;
use std::path::PathBuf;

use image::{DynamicImage, ImageFormat};
use tar::{EntryType, Header};

/// A file of `format` with the pixels of `image`.
pub fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .into()
        .write_to(&mut bytes, format)
        .expect("encoding to memory");
    bytes.into_inner()
}

/// The header of an entry of an archive; name and link as they are, which `tar::Builder` would
/// refuse of hostile ones.
pub fn tar_header(kind: EntryType, name: &str, link: &str, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    header
}

/// `tests/fixtures/images/`.
pub fn image_fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/images")
}
