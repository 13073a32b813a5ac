//! Folders of images, some of which are not what they seem.

use std::fs;
use std::io::Cursor;

use ibot_native::data::{DecodeError, MAX_BYTES, decode};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ColorType, GrayImage, ImageEncoder, ImageFormat, RgbImage};

use super::checks::{assert_outcomes, fixture, folder, open, png};
use crate::support::files::encode;
use crate::support::memory;

/// A gray PNG of one shade, packed fast.
fn gray_png(width: u32, height: u32, shade: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let pixels = vec![shade; (width * height) as usize];
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::NoFilter)
        .write_image(&pixels, width, height, ColorType::L8.into())
        .expect("encoding to memory");
    bytes.into_inner()
}

/// The file with another size in its header, its checksum made right.
fn claiming(mut png: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
    png[16..24].copy_from_slice(&[width.to_be_bytes(), height.to_be_bytes()].concat());
    let crc = crc32fast::hash(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

#[test]
fn one_bad_image_of_each_kind_leaves_the_others() {
    let jpeg = encode(
        RgbImage::from_pixel(64, 64, image::Rgb([90; 3])),
        ImageFormat::Jpeg,
    );
    let mut damaged = png(7);
    damaged[45] ^= 0xFF;
    let data = folder(&[
        ("a-good.png", &png(7)),
        ("b-zero-bytes.jpg", b""),
        ("c-truncated.jpg", &jpeg[..jpeg.len() - 2]),
        ("d-damaged.png", &damaged),
        ("e-a-png.jpg", &png(8)),
        ("f-a-jpeg.tiff", &jpeg),
        ("g-a-page.png", b"<!DOCTYPE html><title>404</title>"),
        ("h-claims-too-much.png", &claiming(png(0), 100_000, 100_000)),
        ("i-claims-much.png", &claiming(png(0), 16_000, 10_000)),
        ("j-good.png", &png(9)),
    ]);
    fs::create_dir(data.path().join("k-a-folder.png")).expect("writable");
    assert_outcomes(
        &open(data.path()),
        &[
            ("a-good.png", "3 x 2, 7"),
            (
                "b-zero-bytes.jpg",
                "the file is empty (0 bytes); restore it or remove it",
            ),
            (
                "c-truncated.jpg",
                "damaged JPEG: it breaks off before its end; restore it or remove it",
            ),
            ("d-damaged.png", "damaged PNG: "),
            ("e-a-png.jpg", "3 x 2, 8"),
            ("f-a-jpeg.tiff", "64 x 64, 90"),
            (
                "g-a-page.png",
                "its content is not JPEG, PNG, WebP, BMP, GIF or TIFF; convert it or remove it",
            ),
            (
                "h-claims-too-much.png",
                "100000 x 100000 pixels is beyond the limit of 16384 x 16384 pixels and 512 MiB",
            ),
            ("i-claims-much.png", "damaged PNG: "),
            ("j-good.png", "3 x 2, 9"),
        ],
    );
}

#[test]
fn a_hundred_megapixels_are_loaded_and_more_than_the_limit_refused() {
    let giant = gray_png(10_000, 10_000, 77);
    let (image, peak) = memory::peak(|| decode(&giant).expect("a sound image"));
    assert_eq!(
        (image.width(), image.height(), image.pixel(9_999, 9_999)),
        (10_000, 10_000, [77; 3])
    );
    println!(
        "100 megapixels from {} bytes took {} MiB",
        giant.len(),
        peak >> 20
    );
    // Once as the file has it and once as RGB.
    assert!(peak < 100_000_000 * 4 + (16 << 20), "{peak} bytes");
    drop(image);

    let beyond = gray_png(16_000, 12_000, 0);
    let (refused, peak) = memory::peak(|| decode(&beyond).expect_err("576 MB as RGB"));
    assert_eq!(
        refused,
        DecodeError::TooLarge {
            size: "16000 x 12000 pixels".to_owned()
        }
    );
    assert!(peak < 16 << 20, "{peak} bytes to refuse it");
}

/// A header is cheap to write: what it claims must cost no more than the largest image within the
/// limits, and pixels that are not there must not be made up.
#[test]
fn what_a_header_claims_is_paid_at_most_once() {
    let mut jpeg = encode(RgbImage::new(8, 8), ImageFormat::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC0])
        .expect("a frame header");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x29, 0x04, 0x40, 0x00]);
    let mut progressive = fixture("progressive.jpg");
    let frame = progressive
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC2])
        .expect("a frame header");
    progressive[frame + 5..frame + 9].copy_from_slice(&[0x29, 0x04, 0x40, 0x00]);
    let mut gif = encode(RgbImage::new(8, 8), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0, 0x40, 0, 0x20]);
    let mut bmp = encode(RgbImage::new(8, 8), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0, 0x40, 0, 0, 4, 0x29, 0, 0]);
    let png = claiming(png(0), 16_384, 10_500);
    for (name, bytes) in [
        ("JPEG", jpeg),
        ("progressive JPEG", progressive),
        ("GIF", gif),
        ("BMP", bmp),
        ("PNG", png),
    ] {
        let (decoded, peak) = memory::peak(|| decode(&bytes).map(|_| ()));
        // The frame of a GIF may be smaller than its canvas.
        assert!(
            matches!(decoded, Err(DecodeError::Damaged { .. })) || name == "GIF",
            "{name}: {decoded:?}"
        );
        println!(
            "{name}: {} bytes took {} MiB: {decoded:?}",
            bytes.len(),
            peak >> 20
        );
        assert!(peak < 3 * MAX_BYTES as usize, "{name}: {peak} bytes");
    }
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    for name in ["animated.webp", "animated.png"] {
        let image = decode(&fixture(name)).expect("a sound image");
        assert_eq!((image.width(), image.height()), (16, 12), "{name}");
        // Black at the first corner and bright red at the opposite side; the second frame is its
        // negative.
        let [dark, [red, _, blue]] = [image.pixel(0, 0), image.pixel(15, 0)];
        assert!(
            dark.iter().all(|&value| value < 60) && red > 150 && blue < 90,
            "{name}: {dark:?}, {red}, {blue}"
        );
    }
}

#[test]
fn cmyk_and_rare_kinds_of_common_formats_are_read() {
    let plain = decode(&fixture("packbits.tif")).expect("lossless");
    for (name, tolerance) in [
        ("tiff_lzw.tif", 0),
        ("tiff_adobe_deflate.tif", 0),
        ("progressive.jpg", 70),
        ("lossy.webp", 70),
        ("cmyk.jpg", 70),
    ] {
        let image = decode(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let furthest = image
            .pixels()
            .iter()
            .zip(plain.pixels())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        println!("{name}: at most {furthest:?} from the original");
        assert!(
            furthest.is_some_and(|furthest| furthest <= tolerance),
            "{name}: {furthest:?}"
        );
    }
    let cmyk = decode(&fixture("cmyk.tif")).expect("CMYK in a TIFF");
    assert_eq!((cmyk.width(), cmyk.height()), (4, 3));
    assert!(
        decode(&encode(GrayImage::new(1, 1), ImageFormat::Png)).is_ok(),
        "a single pixel"
    );
}
