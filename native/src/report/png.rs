//! Pictures as files.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use ibot_core::image::RgbImage;

#[derive(Debug, thiserror::Error)]
#[error("cannot write the picture {}", path.display())]
pub struct SavePictureError {
    pub path: PathBuf,
    pub source: image::ImageError,
}

pub fn save_png(image: &RgbImage, path: &Path) -> Result<(), SavePictureError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Two processes that draw the same picture must not share the temporary file.
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);

    // Renamed when it is whole: a viewer never sees half a picture, and an interrupted run keeps
    // the previous one.
    encode(image, &temporary)
        .and_then(|()| Ok(fs::rename(&temporary, path)?))
        .map_err(|source| {
            // The failure to report is the first one, not that of cleaning up.
            let _ = fs::remove_file(&temporary);
            SavePictureError {
                path: path.to_owned(),
                source,
            }
        })
}

/// The content of a PNG file of `image`.
///
/// # Errors
/// If the image has no pixel.
pub fn png_bytes(image: &RgbImage) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let (width, height) = (image.width() as u32, image.height() as u32);
    let format = image::ImageFormat::Png;
    let color = image::ExtendedColorType::Rgb8;
    image::write_buffer_with_format(&mut bytes, image.pixels(), width, height, color, format)?;
    Ok(bytes.into_inner())
}

fn encode(image: &RgbImage, path: &Path) -> image::ImageResult<()> {
    let (width, height) = (image.width() as u32, image.height() as u32);
    let format = image::ImageFormat::Png;
    let color = image::ColorType::Rgb8;
    image::save_buffer_with_format(path, image.pixels(), width, height, color, format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: usize, height: usize) -> RgbImage {
        RgbImage::from_fn(width, height, |_, _| [200, 40, 40])
    }

    #[test]
    fn saves_what_reads_back_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("sheet.png");
        save_png(&plain(3, 2), &path).expect("saved");
        save_png(&plain(4, 2), &path).expect("replaced");
        let back = image::open(&path).expect("a PNG").into_rgb8();
        assert_eq!(
            (back.width(), back.height(), back.as_raw().as_slice()),
            (4, 2, plain(4, 2).pixels())
        );
        save_png(&plain(1, 1), &dir.path().join("missing/sheet.png"))
            .expect_err("no such directory");
        save_png(&plain(1, 1), dir.path()).expect_err("a directory");
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    }
}
