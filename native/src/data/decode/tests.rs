use image::{
    ColorType, DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb,
    Rgba,
};

use super::*;
use crate::data::testing::{encode, picture};

const LOSSLESS: [ImageFormat; 5] = [
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Gif,
    ImageFormat::Tiff,
];

fn decoded(bytes: &[u8]) -> RgbImage {
    decode(bytes).expect("a good image")
}

/// The file with an EXIF segment after its start marker.
fn with_exif(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let body = [b"Exif\0\0", exif].concat();
    let length = u16::try_from(body.len() + 2)
        .expect("a short segment")
        .to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &body, &jpeg[2..]].concat()
}

/// A big-endian TIFF header with one entry: tag 0x112 (orientation), one 16-bit value.
fn orientation(value: u8) -> Vec<u8> {
    [
        b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(),
        &[value],
        b"\0\0\0\0\0\0",
    ]
    .concat()
}

fn assert_close(image: &RgbImage, expected: &image::RgbImage, tolerance: u8) {
    assert_eq!(
        (image.width() as u32, image.height() as u32),
        expected.dimensions()
    );
    for (at, (a, b)) in image.pixels().iter().zip(expected.as_raw()).enumerate() {
        assert!(a.abs_diff(*b) <= tolerance, "byte {at}: {a} is not {b}");
    }
}

#[test]
fn lossless_formats_keep_every_pixel() {
    let original = picture(21, 13, 7);
    for format in LOSSLESS {
        assert_close(&decoded(&encode(original.clone(), format)), &original, 0);
    }
}

#[test]
fn jpegs_are_close_in_color_and_gray() {
    let smooth = image::RgbImage::from_fn(40, 24, |x, y| Rgb([5 * x as u8, 9 * y as u8, 100]));
    assert_close(
        &decoded(&encode(smooth.clone(), ImageFormat::Jpeg)),
        &smooth,
        24,
    );
    let gray = DynamicImage::from(smooth).into_luma8();
    let file = encode(gray.clone(), ImageFormat::Jpeg);
    assert_close(&decoded(&file), &DynamicImage::from(gray).into_rgb8(), 12);
}

/// One block of a JPEG as Adobe writes CMYK: inverted, 255 being no ink. Codes are one bit long: a
/// difference of 10 bits for each component, then the end of the block.
#[test]
fn cmyk_becomes_rgb() {
    let mut file = vec![0xFF, 0xD8, 0xFF, 0xEE, 0, 14];
    file.extend(b"Adobe\0\x64\0\0\0\0\0");
    file.extend([0xFF, 0xDB, 0, 67, 0]);
    file.extend([1; 64]);
    file.extend([0xFF, 0xC0, 0, 20, 8, 0, 8, 0, 8, 4]);
    file.extend((1..=4).flat_map(|id| [id, 0x11, 0]));
    for (class, symbol) in [(0x00, 10), (0x10, 0)] {
        file.extend([0xFF, 0xC4, 0, 20, class, 1]);
        file.extend([0; 15]);
        file.push(symbol);
    }
    file.extend([0xFF, 0xDA, 0, 14, 4]);
    file.extend((1..=4).flat_map(|id| [id, 0]));
    file.extend([0, 63, 0]);
    let stored: [i32; 4] = [224, 40, 208, 224];
    let mut bits = String::new();
    for value in stored {
        let difference = (value - 128) * 8;
        let code = if difference < 0 {
            difference + 1023
        } else {
            difference
        };
        bits += &format!("0{code:010b}0");
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
        file.push(byte);
        if byte == 0xFF {
            file.push(0);
        }
    }
    file.extend([0xFF, 0xD9]);

    let image = decoded(&file);
    assert_eq!((image.width(), image.height()), (8, 8));
    let [r, g, b] = image.pixel(3, 3);
    for (actual, ink) in [(r, 224), (g, 40), (b, 208)] {
        let expected = (ink * 224 / 255) as u8;
        assert!(actual.abs_diff(expected) <= 2, "{actual} is not {expected}");
    }
}

#[test]
fn sixteen_bits_keep_the_high_byte() {
    // Rounding would give 0x80 and 0x01.
    let gray = ImageBuffer::from_fn(3, 2, |_, _| Luma([0x7FFF_u16]));
    assert_eq!(
        decoded(&encode(gray, ImageFormat::Png)).pixel(1, 1),
        [0x7F; 3]
    );
    let color = ImageBuffer::from_fn(3, 2, |_, _| Rgb([0x00FF_u16, 0x7FFF, 0xFFFF]));
    assert_eq!(
        decoded(&encode(color.clone(), ImageFormat::Png)).pixel(1, 1),
        [0x00, 0x7F, 0xFF]
    );
    assert_eq!(
        decoded(&encode(color, ImageFormat::Tiff)).pixel(1, 1),
        [0x00, 0x7F, 0xFF]
    );
}

#[test]
fn alpha_is_dropped_and_not_blended() {
    let color = ImageBuffer::from_fn(2, 2, |x, _| Rgba([200_u8, 100, 50, 255 * x as u8]));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        let image = decoded(&encode(color.clone(), format));
        assert_eq!(
            [image.pixel(0, 0), image.pixel(1, 0)],
            [[200, 100, 50]; 2],
            "{format:?}"
        );
    }
    let gray = GrayAlphaImage::from_fn(2, 2, |_, _| LumaA([77, 3]));
    assert_eq!(
        decoded(&encode(gray, ImageFormat::Png)).pixel(0, 0),
        [77; 3]
    );
    let deep = ImageBuffer::from_fn(2, 2, |_, _| Rgba([0x1234_u16, 0x5678, 0x9ABC, 0]));
    assert_eq!(
        decoded(&encode(deep, ImageFormat::Png)).pixel(0, 0),
        [0x12, 0x56, 0x9A]
    );
}

#[test]
fn palettes_are_looked_up_even_where_transparent() {
    // Two pixels of one bit: colors (10, 20, 30), transparent, and (200, 100, 50).
    let mut file =
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x01\x01\x03\0\0\0\xce\xec\xed\xc9"
            .to_vec();
    file.extend(
        b"\0\0\0\x06PLTE\x0a\x14\x1e\xc8\x64\x32\x77\xa0\xb3\x9c\0\0\0\x01tRNS\0\x40\xe6\xd8\x66",
    );
    file.extend(b"\0\0\0\x0aIDAT\x78\xda\x63\x70\0\0\0\x42\0\x41\x84\xbf\x8e\x62\0\0\0\0IEND\xae\x42\x60\x82");
    let image = decoded(&file);
    assert_eq!(
        [image.pixel(0, 0), image.pixel(1, 0)],
        [[10, 20, 30], [200, 100, 50]]
    );
}

#[test]
fn a_gif_gives_its_first_frame() {
    let mut file = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut file);
    for shade in [16, 240] {
        let frame = DynamicImage::from(picture(5, 4, shade)).into_rgba8();
        encoder
            .encode_frame(image::Frame::new(frame))
            .expect("encoding to memory");
    }
    drop(encoder);
    assert_close(&decoded(&file), &picture(5, 4, 16), 0);
}

#[test]
fn exif_orientation_is_applied() {
    let jpeg = encode(picture(24, 16, 90), ImageFormat::Jpeg);
    let plain = decoded(&jpeg);
    assert_eq!(decoded(&with_exif(&jpeg, &orientation(1))), plain);

    let turned = decoded(&with_exif(&jpeg, &orientation(6)));
    assert_eq!((turned.width(), turned.height()), (16, 24));
    for y in 0..24 {
        for x in 0..16 {
            assert_eq!(turned.pixel(x, y), plain.pixel(y, 15 - x), "at {x}, {y}");
        }
    }
    let upside_down = decoded(&with_exif(&jpeg, &orientation(3)));
    assert_eq!(upside_down.pixel(0, 0), plain.pixel(23, 15));
}

#[test]
fn broken_exif_is_ignored() {
    let jpeg = encode(picture(24, 16, 90), ImageFormat::Jpeg);
    for exif in [
        b"".as_slice(),
        b"MM",
        b"rubbish rubbish rubbish",
        &orientation(77),
        &orientation(6)[..18],
    ] {
        assert_eq!(decoded(&with_exif(&jpeg, exif)), decoded(&jpeg));
    }
}

#[test]
fn what_breaks_off_is_refused() {
    assert_eq!(decode(&[]), Err(DecodeError::Empty));
    for format in LOSSLESS.into_iter().chain([ImageFormat::Jpeg]) {
        let file = encode(picture(21, 13, 7), format);
        let whole = decoded(&file);
        let mut refused = 0;
        for length in 1..file.len() {
            match decode(&file[..length]) {
                // Only bytes after the pixels may be missing.
                Ok(image) => assert!(
                    image == whole,
                    "{format:?} cut at {length} of {}",
                    file.len()
                ),
                Err(_) => refused += 1,
            }
        }
        assert!(
            refused >= file.len() / 2,
            "{format:?}: {refused} of {} refused",
            file.len()
        );
    }
}

#[test]
fn a_jpeg_needs_an_end_of_its_own() {
    let jpeg = encode(picture(64, 64, 7), ImageFormat::Jpeg);
    let cut = &jpeg[..jpeg.len() * 2 / 3];
    assert!(matches!(decode(cut), Err(DecodeError::Damaged { .. })));
    // The end marker of a thumbnail is not that of the image.
    let thumbnail = [orientation(1), jpeg.clone()].concat();
    assert!(matches!(
        decode(&with_exif(cut, &thumbnail)),
        Err(DecodeError::Damaged { .. })
    ));
    assert_eq!(decoded(&with_exif(&jpeg, &thumbnail)), decoded(&jpeg));
    let trailing = [jpeg.as_slice(), b"appended by a camera"].concat();
    assert_eq!(decoded(&trailing), decoded(&jpeg));
}

#[test]
fn damage_never_panics() {
    for format in LOSSLESS.into_iter().chain([ImageFormat::Jpeg]) {
        let file = encode(picture(21, 13, 7), format);
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0xA5;
            // Some damage shows only in the colors; whatever comes out must be whole.
            if let Ok(image) = decode(&damaged) {
                assert_eq!(image.pixels().len(), image.width() * image.height() * 3);
            }
        }
    }
}

#[test]
fn a_panic_becomes_an_error() {
    let outcome: Result<(), _> = contained(ImageFormat::Tiff, || panic!("a decoder's bug"));
    let Err(DecodeError::Damaged { format, .. }) = outcome else {
        panic!("not an error: {outcome:?}")
    };
    assert_eq!(format, "TIFF");
}

#[test]
fn sizes_beyond_the_limits_are_refused_before_memory_is_taken() {
    let refusal = |file: &[u8]| match decode(file) {
        Err(DecodeError::TooLarge { size }) => size,
        other => panic!("not refused for its size: {other:?}"),
    };
    let mut bmp = encode(picture(4, 4, 0), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&20_000_u32.to_le_bytes());
    assert_eq!(refusal(&bmp), "20000 x 4 pixels");
    bmp[18..22].copy_from_slice(&16_384_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&16_384_u32.to_le_bytes());
    assert_eq!(refusal(&bmp), "16384 x 16384 pixels");

    // Gray takes a third of the memory in the file's own form, but not as RGB.
    let mut jpeg = encode(GrayImage::new(8, 8), ImageFormat::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC0])
        .expect("a frame header");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x3A, 0x98, 0x3A, 0x98]);
    assert_eq!(refusal(&jpeg), "15000 x 15000 pixels");
    assert!(
        decode(&jpeg)
            .expect_err("too large")
            .to_string()
            .contains("16384 x 16384 pixels and 512 MiB")
    );
}

#[test]
fn other_content_is_not_recognised() {
    let icon = b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0";
    for content in [b"<!DOCTYPE html>".as_slice(), b"x", icon] {
        let error = decode(content).expect_err("not an image");
        assert_eq!(error, DecodeError::Unrecognised);
        assert!(error.to_string().contains("JPEG"), "{error}");
    }
}

#[test]
fn rare_kinds_are_told_from_damage() {
    let mut tiff = Vec::new();
    let encoder = image::codecs::tiff::TiffEncoder::new(Cursor::new(&mut tiff));
    image::ImageEncoder::write_image(encoder, &[1, 2, 3, 4], 2, 2, ColorType::L8.into())
        .expect("encoding to memory");
    assert_eq!(decoded(&tiff).pixel(1, 1), [4; 3]);
    // Tag 0x106 (photometric interpretation), one 16-bit value: 3 is a palette.
    let entry = [0x06, 0x01, 0x03, 0, 1, 0, 0, 0];
    let at = tiff
        .windows(8)
        .position(|window| window == entry)
        .expect("a photometric tag")
        + 8;
    tiff[at] = 3;
    assert!(
        matches!(decode(&tiff), Err(DecodeError::Unsupported { .. })),
        "{:?}",
        decode(&tiff)
    );
}
