use super::*;
use crate::image::fixture::{Fixture, difference};
use crate::testing::test;

const FILE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/augment/resize.safetensors"
));

#[test]
fn crops_match_torchvision() {
    let fixture = Fixture::images(FILE);
    let source = fixture.get("source");
    for (numbers, expected) in fixture.series("crop") {
        let [left, top, width, height, size] = numbers[..] else {
            panic!("five numbers in {numbers:?}")
        };
        let [left, top, width, height] = [left, top, width, height].map(|n| n as usize);
        let ours = resized_crop(
            &source,
            CropBox {
                left,
                top,
                width,
                height,
            },
            size as usize,
        );
        let (mean, largest) = difference(&format!("crop {numbers:?}"), &ours, &expected);
        assert!(mean < 0.01 && largest <= 1);
    }
}

#[test]
fn bilinear_crops_match_torchvision() {
    let file = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/eval/linear.safetensors"
    ));
    let fixture = Fixture::images(file);
    let source = fixture.get("source");
    for (numbers, expected) in fixture.series("bilinear") {
        let [left, top, width, height, size] = numbers[..] else {
            panic!("five numbers in {numbers:?}")
        };
        let [left, top, width, height] = [left, top, width, height].map(|n| n as usize);
        let crop = CropBox {
            left,
            top,
            width,
            height,
        };
        let ours = bilinear_crop(&source, crop, size as usize);
        let (mean, largest) = difference(&format!("bilinear {numbers:?}"), &ours, &expected);
        // Weights of the resizer have fewer bits than Pillow's, which shows where the exact
        // value lies halfway between two levels.
        assert!(mean < 0.05 && largest <= 1);
    }
}

#[test]
fn pixels_outside_of_the_box_do_not_count() {
    let source = Fixture::images(FILE).get("source");
    let crop = CropBox {
        left: 20,
        top: 10,
        width: 40,
        height: 50,
    };
    let inside = |x: usize, y: usize| (20..60).contains(&x) && (10..60).contains(&y);
    let other = RgbImage::from_fn(source.width(), source.height(), |x, y| {
        if inside(x, y) {
            source.pixel(x, y)
        } else {
            [255, 0, 255]
        }
    });
    assert_eq!(
        resized_crop(&source, crop, 33),
        resized_crop(&other, crop, 33)
    );
}

#[test]
fn evaluation_views_match_torchvision() {
    let fixture = Fixture::images(FILE);
    let source = fixture.get("source");
    for (numbers, expected) in fixture.series("eval") {
        let [size, resize_to] = numbers[..] else {
            panic!("two numbers in {numbers:?}")
        };
        let ours = eval_view(&source, size as usize, resize_to as usize);
        let (mean, largest) = difference(&format!("eval {numbers:?}"), &ours, &expected);
        assert!(mean < 0.01 && largest <= 1);
    }
}

#[test]
fn evaluation_views_of_extreme_images() {
    for (width, height) in [(1, 1), (1, 5000), (5000, 1), (3, 1000), (333, 331)] {
        let image = RgbImage::from_fn(width, height, |_, _| [9, 90, 200]);
        for (size, resize_to) in [(224, 256), (13, 17), (17, 13), (1, 1)] {
            let view = eval_view(&image, size, resize_to);
            assert_eq!((view.width(), view.height()), (size, size));
            assert_eq!(
                view.pixel(size / 2, size / 2),
                [9, 90, 200],
                "{width} x {height} at {size}, {resize_to}"
            );
        }
    }
}

#[test]
fn boxes_are_kept_inside() {
    let image = RgbImage::from_fn(4, 3, |x, y| [x as u8, y as u8, 7]);
    let view = resized_crop(
        &image,
        CropBox {
            left: 3,
            top: 9,
            width: 5,
            height: 0,
        },
        2,
    );
    assert!((0..4).all(|n| view.pixel(n % 2, n / 2) == [3, 2, 7]));
    assert_eq!(
        resized_crop(
            &image,
            CropBox {
                left: 0,
                top: 0,
                width: 1,
                height: 1
            },
            0
        )
        .pixels(),
        [0, 0, 7]
    );
}

#[test]
fn a_flip_mirrors_rows() {
    let mut image = RgbImage::from_fn(3, 2, |x, y| [x as u8, y as u8, 0]);
    flip(&mut image);
    assert_eq!(
        image,
        RgbImage::from_fn(3, 2, |x, y| [2 - x as u8, y as u8, 0])
    );
}

#[test]
fn thumbnails_are_those_of_pil() {
    let file = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/eval/retrieval.safetensors"
    ));
    let fixture = Fixture::images(file);
    let source = fixture.get("source");
    for (numbers, expected) in fixture.series("thumbnail") {
        let ours = thumbnail(&source, numbers[0] as usize);
        let (mean, largest) = difference(&format!("thumbnail {numbers:?}"), &ours, &expected);
        assert!(mean < 0.05 && largest <= 1);
    }

    #[derive(serde::Deserialize)]
    struct Sizes {
        thumbnail_sizes: Vec<[usize; 5]>,
    }
    let json = include_str!("../../../../tests/fixtures/eval/retrieval.json");
    let sizes: Sizes = serde_json::from_str(json).expect("JSON");
    assert!(sizes.thumbnail_sizes.len() > 50);
    for [width, height, side, to_width, to_height] in sizes.thumbnail_sizes {
        let size = thumbnail_size(width, height, side);
        assert_eq!(size, (to_width, to_height), "{width} x {height} to {side}");
    }
}
