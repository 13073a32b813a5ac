use std::path::Path;

use ibot_core::annotation::labels::{IGNORED, LabelMap};

use super::*;
use crate::data::masks::encode_mask;
use crate::data::testing::{names, picture, spec, write};

fn open(spec: &str) -> Result<Option<Dataset>, DataError> {
    super::open(&NamedPlace::of(spec))
}

/// A mask of 3 x 2 pixels, as the images of these tests have.
fn mask(numbers: [usize; 6]) -> Vec<u8> {
    let map = LabelMap::new(2, 3, numbers.to_vec()).expect("six numbers");
    encode_mask(&map).expect("numbers of a palette")
}

fn folder(files: &[(&str, [usize; 6])], images: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, numbers) in files {
        write(folder.path().join(name), mask(*numbers));
    }
    for name in images {
        let image = crate::data::testing::encode(picture(3, 2, 9), image::ImageFormat::Png);
        write(folder.path().join(name), image);
    }
    folder
}

fn opened(path: &Path, split: &str) -> Dataset {
    let spec = format!("{}{split}", spec(path));
    open(&spec).expect("a sound layout").expect("a layout")
}

fn problem(data: &Dataset, index: usize) -> String {
    data.mask(index).expect_err("a broken mask").to_string()
}

#[test]
fn ade20k_has_other_things_at_0() {
    let folder = folder(
        &[
            ("ADE/annotations/training/a.png", [0, 1, 150, 2, 2, 2]),
            ("ADE/annotations/training/b.png", [0, 151, 1, 1, 1, 1]),
            ("ADE/annotations/validation/c.png", [3; 6]),
        ],
        &[
            "ADE/images/training/a.jpg",
            "ADE/images/training/b.jpg",
            "ADE/images/training/lost.jpg",
            "ADE/images/validation/c.jpg",
        ],
    );
    write(
        folder.path().join("ADE/objectInfo150.txt"),
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t1\t1\t1\twall\n2\t0.1\t1\t1\t1\tbuilding, edifice\n",
    );
    let data = opened(folder.path(), "");
    assert_eq!(
        (data.len(), data.pixel_classes().len(), data.classes().len()),
        (3, 150, 0)
    );
    assert_eq!(data.pixel_classes()[..3], ["wall", "building", "3"]);
    let cells = [IGNORED, 0, 149, 1, 1, 1];
    assert_eq!(data.mask(0).expect("a mask").cells(), cells);
    assert!(data.description().ends_with("150 classes of pixels"));

    let unknown = problem(&data, 1);
    assert!(
        unknown.contains("training/b.png: it holds the number 151"),
        "{unknown}"
    );
    let missing = problem(&data, 2);
    assert!(
        missing.contains("no mask ADE/annotations/training/lost.png"),
        "{missing}"
    );

    let val = opened(&folder.path().join("ADE"), ":val");
    assert_eq!(names(&val), ["images/validation/c.jpg"]);
    assert_eq!(val.mask(0).expect("a mask").cells(), [2; 6]);
}

#[test]
fn voc_lists_its_images() {
    let folder = folder(
        &[
            ("SegmentationClass/x.png", [0, 20, 255, 0, 0, 0]),
            ("SegmentationClass/y.png", [0, 21, 0, 0, 0, 0]),
        ],
        &["JPEGImages/x.jpg", "JPEGImages/y.jpg", "JPEGImages/z.jpg"],
    );
    write(
        folder.path().join("ImageSets/Segmentation/train.txt"),
        "x\ny\n",
    );
    write(
        folder.path().join("ImageSets/Segmentation/val.txt"),
        "z\n\n",
    );
    let data = opened(folder.path(), "");
    assert_eq!(names(&data), ["JPEGImages/x.jpg", "JPEGImages/y.jpg"]);
    let cells = [0, 20, IGNORED, 0, 0, 0];
    assert_eq!(data.mask(0).expect("a mask").cells(), cells);
    assert!(problem(&data, 1).contains("y.png: it holds the number 21"));
    assert_eq!(names(&opened(folder.path(), ":val")), ["JPEGImages/z.jpg"]);

    let message = open(&format!("{}:test", spec(folder.path())));
    let message = message.expect_err("no such list").to_string();
    assert!(
        message.contains("test.txt") && message.contains("val.txt"),
        "{message}"
    );
}

#[test]
fn davis_has_first_and_later_frames() {
    let mut masks = Vec::new();
    let mut images = Vec::new();
    for sequence in ["dog", "camel"] {
        for frame in 0..3 {
            masks.push(format!("DAVIS/Annotations/480p/{sequence}/0000{frame}.png"));
            images.push(format!("DAVIS/JPEGImages/480p/{sequence}/0000{frame}.jpg"));
        }
    }
    let masks: Vec<_> = masks
        .iter()
        .map(|m| (m.as_str(), [0, 255, 2, 0, 0, 0]))
        .collect();
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    let folder = folder(&masks, &images);
    write(folder.path().join("DAVIS/ImageSets/2017/val.txt"), "dog\n");
    let lines = "/JPEGImages/480p/camel/00000.jpg /Annotations/480p/camel/00000.png\n";
    write(
        folder.path().join("DAVIS/ImageSets/480p/trainval.txt"),
        lines,
    );

    let len = |split| opened(folder.path(), split).len();
    assert_eq!((len(""), len(":first"), len(":later")), (6, 2, 4));
    let unknown = format!("{}:test", spec(folder.path()));
    let message = open(&unknown).expect_err("no such list").to_string();
    assert!(message.contains("first, later, val, trainval"), "{message}");
    let dog = opened(folder.path(), ":val");
    assert!(names(&dog).iter().all(|name| name.contains("dog")) && dog.len() == 3);
    assert!(names(&opened(folder.path(), ":trainval"))[0].contains("camel"));
    assert_eq!(dog.mask(0).expect("a mask").cells(), [0, 1, 1, 0, 0, 0]);
    assert_eq!(dog.pixel_classes(), ["background", "object"]);
}

#[test]
fn images_beside_masks_have_the_numbers_that_occur() {
    let folder = folder(
        &[
            ("masks/a/1.png", [0, 7, 255, 0, 0, 0]),
            ("masks/a/2.png", [0, 0, 0, 0, 0, 9]),
        ],
        &["images/a/1.jpg", "images/a/2.png", "images/b/3.webp"],
    );
    let data = opened(folder.path(), "");
    assert_eq!(data.pixel_classes(), ["0", "7", "9"]);
    let cells = [0, 1, IGNORED, 0, 0, 0];
    assert_eq!(data.mask(0).expect("a mask").cells(), cells);
    assert!(problem(&data, 2).contains("no mask masks/b/3.png"));
    // A part has the classes of the whole.
    let part = opened(folder.path(), ":a");
    assert_eq!((part.len(), part.pixel_classes().len()), (2, 3));

    write(folder.path().join("classes.txt"), "ground\nwater\n");
    let data = opened(folder.path(), "");
    assert_eq!(data.pixel_classes(), ["ground", "water"]);
    assert!(problem(&data, 0).contains("number 7, which is none of the 2"));

    // Other files lose none of the sound ones.
    write(folder.path().join("masks/a/1.png"), b"no picture");
    let large = LabelMap::from_fn(4, 4, |_| 1);
    write(
        folder.path().join("masks/a/2.png"),
        encode_mask(&large).expect("a mask"),
    );
    write(folder.path().join("masks/b/3.png"), mask([1; 6]));
    let data = opened(folder.path(), "");
    assert!(problem(&data, 0).contains("masks/a/1.png: it is no PNG"));
    assert!(problem(&data, 1).contains("4 x 4 pixels, but its image has 3 x 2"));
    assert_eq!(data.mask(2).expect("a mask").cells(), [1; 6]);
    assert!(problem(&data, 3).contains("3 images"));
}

#[test]
fn white_alone_is_an_object() {
    let folder = folder(&[("masks/1.png", [0, 255, 0, 0, 0, 0])], &["images/1.jpg"]);
    let data = opened(folder.path(), "");
    assert_eq!(data.mask(0).expect("a mask").cells(), [0, 1, 0, 0, 0, 0]);
    assert_eq!(data.pixel_classes(), ["0", "255"]);
}

#[test]
fn other_sets_have_no_such_layout() {
    let folder = folder(&[], &["images/1.jpg"]);
    assert!(open(&spec(folder.path())).expect("readable").is_none());
    assert!(open("builtin:val").expect("builtin").is_none());
    assert!(open("nothing/here").expect("nothing").is_none());
    let plain = Dataset::open(&spec(folder.path())).expect("images");
    assert!(plain.pixel_classes().is_empty());
    assert!(problem(&plain, 0).contains("no labels"));
    let scenes = Dataset::open("builtin").expect("scenes");
    assert_eq!(scenes.pixel_classes()[0], "background");
    let mask = scenes.mask(3).expect("parts");
    assert!(
        mask.cells()
            .iter()
            .all(|part| *part < scenes.pixel_classes().len())
    );
}
