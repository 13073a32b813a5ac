//! Flowers-102 and Stanford Cars.

use std::fs;

use tempfile::TempDir;

use super::{assert_cuts_are_refused, refusal, set};
use crate::data::testing::{class_names, mat_of, names, open, png, shades, spec, write};

fn flowers() -> TempDir {
    let images: Vec<String> = (1..=8).map(|n| format!("jpg/image_{n:05}.jpg")).collect();
    set("flowers", &images)
}

fn cars() -> TempDir {
    let images: Vec<String> = (1..=6).map(|n| format!("car_ims/{n:06}.jpg")).collect();
    set("cars", &images)
}

#[test]
fn flowers_have_the_classes_of_the_file() {
    let folder = flowers();
    let place = spec(folder.path());
    for (part, shades_of, labels) in [
        ("", vec![6, 1, 3], vec!["2", "1", "3"]),
        (":train", vec![6, 1, 3], vec!["2", "1", "3"]),
        (":test", vec![7, 0, 2, 4, 5], vec!["1", "3", "2", "1", "4"]),
        (":trnid", vec![6, 1], vec!["2", "1"]),
        (":valid", vec![3], vec!["3"]),
        (":tstid", vec![7, 0, 2, 4, 5], vec!["1", "3", "2", "1", "4"]),
    ] {
        let data = open(format!("{place}{part}")).expect("the set");
        assert_eq!(shades(&data), shades_of, "{part}");
        let labels: Vec<_> = labels.into_iter().map(Some).collect();
        assert_eq!(class_names(&data), labels, "{part}");
        assert_eq!(data.classes(), ["1", "2", "3", "4"]);
    }
    let data = open(&place).expect("the set");
    assert_eq!(names(&data)[0], "jpg/image_00007.jpg");
    assert!(data.description().starts_with("Flowers-102 "));
    assert_eq!(data.label(1), Some(0), "classes count from 0");
}

#[test]
fn faults_of_flowers_are_counted_and_named() {
    let folder = flowers();
    let path = |name: &str| folder.path().join(name);
    let message = refusal(folder.path(), ":val");
    assert!(message.contains("`:train`, `:test`, `:trnid`"), "{message}");
    assert_cuts_are_refused(&folder, "imagelabels.mat", "");
    assert_cuts_are_refused(&folder, "setid.mat", ":test");

    write(path("jpg/image_00009.jpg"), png(9));
    write(path("jpg/other.png"), png(9));
    let message = refusal(folder.path(), "");
    assert!(message.contains("2 images have no label"), "{message}");
    assert!(
        message.contains("jpg/image_00009.jpg, jpg/other.png"),
        "{message}"
    );
    for name in [
        "jpg/image_00009.jpg",
        "jpg/other.png",
        "jpg/image_00002.jpg",
        "jpg/image_00007.jpg",
    ] {
        fs::remove_file(path(name)).expect("it is there");
    }
    let message = refusal(folder.path(), "");
    assert!(
        message.contains("2 of the 3 images that have labels"),
        "{message}"
    );
    assert!(
        message.contains("jpg/image_00007.jpg, jpg/image_00002.jpg;"),
        "{message}"
    );
    assert_eq!(
        open(spec(folder.path()) + ":test").expect("complete").len(),
        5
    );

    let ids = |numbers: &[u16]| mat_of(&[("trnid", numbers), ("valid", &[]), ("tstid", &[])]);
    for (numbers, expected) in [
        ([1, 9, 0].as_slice(), "2 of its images have no label"),
        (&[], "has no image"),
    ] {
        write(path("setid.mat"), ids(numbers));
        let message = refusal(folder.path(), "");
        assert!(message.contains(expected), "{message}");
    }
    write(path("setid.mat"), mat_of(&[("trnid", &[1])]));
    assert!(refusal(folder.path(), "").contains("`valid` is missing"));

    for (third, expected) in [(0, "image 3 has class 0"), (9, "8 images, but a class 9")] {
        let labels = [1, 1, third, 1, 1, 1, 1, 1];
        write(path("imagelabels.mat"), mat_of(&[("labels", &labels)]));
        let message = refusal(folder.path(), "");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn cars_have_the_field_class_and_not_the_box() {
    let folder = cars();
    let place = spec(folder.path());
    let classes = [
        "AM General Hummer SUV 2000",
        "Acura RL Sedan 2012",
        "Citro\u{eb}n 2CV 1970",
    ];
    for (part, shades_of, labels) in [
        ("", [0, 2, 5], [1, 2, 0]),
        (":train", [0, 2, 5], [1, 2, 0]),
        (":test", [1, 3, 4], [0, 1, 2]),
    ] {
        let data = open(format!("{place}{part}")).expect("the set");
        assert_eq!(shades(&data), shades_of, "{part}");
        let found: Vec<_> = (0..3).map(|index| data.label(index)).collect();
        assert_eq!(found, labels.map(Some), "{part}");
        assert_eq!(data.classes(), classes);
    }
}

#[test]
fn faults_of_cars_are_counted_and_named() {
    let folder = cars();
    let path = |name: &str| folder.path().join(name);
    assert!(refusal(folder.path(), ":val").contains("`:train`, `:test`"));
    assert_cuts_are_refused(&folder, "cars_annos.mat", "");

    fs::rename(path("car_ims/000003.jpg"), path("car_ims/000007.jpg")).expect("renamed");
    let message = refusal(folder.path(), ":test");
    assert!(message.contains("1 image has no label"), "{message}");
    assert!(message.contains("car_ims/000007.jpg"), "{message}");
    fs::remove_file(path("car_ims/000007.jpg")).expect("it is there");
    let message = refusal(folder.path(), "");
    assert!(
        message.contains("1 of the 3 images that have labels"),
        "{message}"
    );
    assert!(message.contains("car_ims/000003.jpg"), "{message}");
    assert_eq!(
        open(spec(folder.path()) + ":test").expect("complete").len(),
        3
    );

    let whole = fs::read(path("cars_annos.mat")).expect("a file");
    let place_of = |text: &[u8]| whole.windows(text.len()).position(|bytes| bytes == text);
    let mut fewer = whole.clone();
    // The second of the sizes, which stand before the name.
    fewer[place_of(b"class_names").expect("the variable") - 12] = 2;
    write(path("cars_annos.mat"), fewer);
    let message = refusal(folder.path(), "");
    assert!(
        message.contains("has class 3, but `class_names` has 1 to 2"),
        "{message}"
    );

    let mut renamed = whole.clone();
    renamed[place_of(b"class").expect("the field")] = b'k';
    write(path("cars_annos.mat"), renamed);
    let message = refusal(folder.path(), "");
    assert!(
        message.contains("structs with a number `class`"),
        "{message}"
    );
    write(path("cars_annos.mat"), mat_of(&[("annotations", &[1])]));
    assert!(refusal(folder.path(), "").contains("`class_names` is missing"));
}
