//! Sound files to damage: small ones of every kind, made here but for those that need another
//! program's encoder.

use std::fs;
use std::path::PathBuf;

use image::{DynamicImage, Frame, GrayImage, ImageFormat, Rgb, RgbImage};
use tar::{Builder, EntryType, Header};

use crate::support::damage::Damage;
use crate::support::files::{encode, image_fixtures, tar_header};

/// An image file.
pub struct Image {
    pub name: String,
    pub bytes: Vec<u8>,
    pub damage: Damage,
}

pub fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 9 % 16 * 16) as u8, (y * 7 % 16 * 16) as u8, 40])
    })
}

/// What the bytes of a format are, by its mark.
fn damage(bytes: &[u8]) -> Damage {
    let (alphabet, big_endian): (&[u8], bool) = match bytes {
        [0xFF, 0xD8, ..] => (
            b"\0\x01\x03\x08\x11\x22\xff\xc0\xc2\xc4\xd8\xd9\xda\xdb\xdd\xe0\xe1\xee",
            true,
        ),
        [0x89, ..] => (
            b"\0\x01\x02\x03\x04\x06\x08\x10IHDRPLTEtRNSacTLfcTLfdATIDATIEND\xff",
            true,
        ),
        [b'R', ..] => (b"\0\x01\x0f\x2f\x9dRIFFWEBPVP8XLANIMFALPHEXIF\xff", false),
        [b'G', ..] => (b"\0\x01\x02\x08\x2c\x21\x3b\xf9\xff\x80\xf7", false),
        [b'B', ..] => (b"\0\x01\x02\x03\x04\x08\x10\x18\x20\x28\xff", false),
        _ => (
            b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x10\x11\x15\x1c\xff",
            false,
        ),
    };
    Damage {
        alphabet,
        big_endian,
    }
}

/// Images of all formats and of the kinds that take other ways through their decoders.
pub fn images() -> Vec<Image> {
    let color = picture(17, 11);
    let deep = DynamicImage::from(color.clone()).into_rgba16();
    let mut animation = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut animation);
    for side in [9, 5] {
        let frame = Frame::new(DynamicImage::from(picture(side, side)).into_rgba8());
        encoder.encode_frame(frame).expect("encoding to memory");
    }
    drop(encoder);
    let mut files = vec![
        (
            "color.jpg".to_owned(),
            encode(color.clone(), ImageFormat::Jpeg),
        ),
        (
            "gray.jpg".to_owned(),
            encode(GrayImage::new(17, 11), ImageFormat::Jpeg),
        ),
        (
            "color.png".to_owned(),
            encode(color.clone(), ImageFormat::Png),
        ),
        (
            "deep.png".to_owned(),
            encode(deep.clone(), ImageFormat::Png),
        ),
        (
            "lossless.webp".to_owned(),
            encode(color.clone(), ImageFormat::WebP),
        ),
        ("animated.gif".to_owned(), animation),
        (
            "color.bmp".to_owned(),
            encode(color.clone(), ImageFormat::Bmp),
        ),
        (
            "alpha.bmp".to_owned(),
            encode(
                DynamicImage::from(color.clone()).into_rgba8(),
                ImageFormat::Bmp,
            ),
        ),
        ("color.tif".to_owned(), encode(color, ImageFormat::Tiff)),
        ("deep.tif".to_owned(), encode(deep, ImageFormat::Tiff)),
    ];
    let mut stored: Vec<PathBuf> = fs::read_dir(image_fixtures())
        .expect("a committed folder")
        .map(|entry| entry.expect("readable").path())
        .collect();
    // The order of a folder is the disk's, and cases must be the same everywhere.
    stored.sort();
    for path in stored {
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        files.push((name, fs::read(path).expect("readable")));
    }
    files
        .into_iter()
        .map(|(name, bytes)| Image {
            name,
            damage: damage(&bytes),
            bytes,
        })
        .collect()
}

/// Archives of a few images: plain, with links and special entries, with long names in both
/// dialects.
pub fn archives() -> Vec<Vec<u8>> {
    let png = encode(picture(3, 2), ImageFormat::Png);
    let mut plain = Builder::new(Vec::new());
    let mut odd = Builder::new(Vec::new());
    let mut long = Builder::new(Vec::new());
    for name in ["cat/1.png", "cat/2.png", "dog/1.png"] {
        plain
            .append(
                &tar_header(EntryType::Regular, name, "", png.len()),
                png.as_slice(),
            )
            .expect("writing to memory");
    }
    odd.append(&tar_header(EntryType::Directory, "a/", "", 0), &[][..])
        .expect("writing to memory");
    for name in ["a/1.png", "../../2.png", "a/1.png"] {
        odd.append(
            &tar_header(EntryType::Regular, name, "", png.len()),
            png.as_slice(),
        )
        .expect("writing to memory");
    }
    for (kind, name, link) in [
        (EntryType::Link, "b/1.png", "a/1.png"),
        (EntryType::Symlink, "b/2.png", "/etc/passwd"),
        (EntryType::Char, "b/3.png", ""),
        (EntryType::Fifo, "b/4.png", ""),
        (EntryType::Continuous, "b/5.png", ""),
    ] {
        odd.append(&tar_header(kind, name, link, 0), &[][..])
            .expect("writing to memory");
    }
    let name = format!("{}/{}.png", "class".repeat(30), "file".repeat(30));
    let mut header = Header::new_gnu();
    header.set_size(png.len() as u64);
    long.append_data(&mut header, name.as_str(), png.as_slice())
        .expect("writing to memory");
    long.append_pax_extensions([
        ("path", name.as_bytes()),
        ("size", b"78"),
        ("comment", b"x"),
    ])
    .expect("writing to memory");
    long.append(
        &tar_header(EntryType::Regular, "short.png", "", png.len()),
        png.as_slice(),
    )
    .expect("writing to memory");
    [plain, odd, long]
        .map(|builder| builder.into_inner().expect("writing to memory"))
        .into()
}

/// A file of six images of 4 x 5 and one of their labels.
pub fn idx() -> (Vec<u8>, Vec<u8>) {
    let header = [6_u32, 4, 5].map(u32::to_be_bytes).concat();
    let images = [
        &[0, 0, 8, 3],
        header.as_slice(),
        &(0..120).collect::<Vec<u8>>(),
    ]
    .concat();
    (
        images,
        [&[0, 0, 8, 1, 0, 0, 0, 6][..], &[0, 1, 2, 0, 1, 9]].concat(),
    )
}
