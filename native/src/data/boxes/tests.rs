use std::path::{Path, PathBuf};

use super::*;
use crate::data::testing::{names, spec, tree, write};

fn open(spec: &str) -> Result<Option<Dataset>, DataError> {
    super::open(&NamedPlace::of(spec))
}

const JSON: &str = r#"{"categories": [{"id": 7, "name": "cat"}],
    "images": [{"id": 1, "file_name": "a.png", "width": 3, "height": 2},
        {"id": 2, "file_name": "b.png", "width": 3, "height": 2}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 2, 2], "iscrowd": 1},
        {"id": 2, "image_id": 2, "category_id": 7, "bbox": [1, 0, 2, 1], "segmentation": [[1, 0, 3, 0, 3, 1]]}]}"#;

fn xml(class: &str, corners: [u32; 4]) -> String {
    let [left, top, right, bottom] = corners;
    format!(
        "<annotation><size><width>3</width><height>2</height></size><object><name>{class}</name><difficult>1</difficult>
        <bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object></annotation>"
    )
}

/// The same files as an archive, which is named after the folder.
fn archive(folder: &Path) -> PathBuf {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(".", folder).expect("to memory");
    let file = folder.join("all.tar");
    write(&file, archive.into_inner().expect("to memory"));
    file
}

fn boxes(spec: &str) -> (Vec<String>, Dataset) {
    let data = open(spec).expect("sound").expect("a layout");
    (names(&data), data)
}

fn objects(data: &Dataset) -> &ObjectBoxes {
    data.annotation().expect("objects")
}

fn message(spec: &str) -> String {
    open(spec).expect_err("no dataset").to_string()
}

#[test]
fn coco_is_read_from_folders_archives_and_single_files() {
    let folder = tree(&["val2017/a.png", "val2017/b.png", "train2017/a.png"]);
    let json = folder.path().join("annotations/instances_val2017.json");
    write(&json, JSON);
    write(
        folder.path().join("annotations/captions_val2017.json"),
        "{}",
    );
    let tar = archive(folder.path());

    let files = ["val2017/a.png", "val2017/b.png"];
    for place in [folder.path().to_owned(), tar, json] {
        let (names, data) = boxes(&spec(&place));
        assert_eq!(names, files, "{}", place.display());
        let objects = objects(&data);
        assert_eq!(objects.classes, ["cat"]);
        assert!(objects.problems.is_empty());
        assert!(objects.images[0].objects[0].crowd);
        assert_eq!(objects.images[1].objects[0].bounds.right, 3.0);
        assert!(objects.images[1].objects[0].region.is_some());
        assert_eq!(data.load(1).expect("an image").pixel(0, 0)[2], 1);
        assert_eq!(data.pixel_classes(), ["background", "cat"]);
        let mask = data.mask(1).expect("polygons");
        assert_eq!((mask.rows(), mask.columns()), (2, 3));
        assert_eq!(mask.cells(), [0, 0, 1, 0, 0, 0]);
    }
}

#[test]
fn splits_of_coco_are_chosen_by_name() {
    let folder = tree(&["val2017/a.png", "train2017/b.png"]);
    for split in ["train2017", "val2017", "val2014"] {
        let file = format!("annotations/instances_{split}.json");
        write(folder.path().join(file), JSON);
    }
    let place = spec(folder.path());
    let (names, data) = boxes(&format!("{place}:train"));
    assert_eq!(names, ["train2017/b.png"]);
    let problem = &objects(&data).problems[0];
    assert!(problem.contains("a.png is missing"), "{problem}");

    // Two splits begin with `val`.
    let several = message(&place);
    assert!(several.contains("`:val2014` or `:val2017`"), "{several}");
    let none = message(&format!("{place}:test"));
    assert!(none.contains("there is no `test`"), "{none}");
    let (names, _) = boxes(&format!("{place}:val2017"));
    assert_eq!(names, ["val2017/a.png"]);
    let nothing = message(&format!("{place}:val2014"));
    assert!(nothing.contains("none of its 2 images"), "{nothing}");
    assert!(nothing.contains("val2014"), "{nothing}");
}

#[test]
fn voc_is_read_with_its_splits() {
    let folder = tree(&["SET/JPEGImages/a.png", "SET/JPEGImages/b.png"]);
    let inside = |name: &str| folder.path().join("SET").join(name);
    write(inside("Annotations/a.xml"), xml("dog", [1, 1, 2, 2]));
    write(inside("Annotations/b.xml"), xml("cat", [2, 1, 3, 1]));
    write(inside("Annotations/c.xml"), xml("cat", [2, 1, 3, 1]));
    let place = spec(folder.path());
    let (names, data) = boxes(&place);
    assert_eq!(names, ["SET/JPEGImages/a.png", "SET/JPEGImages/b.png"]);
    let found = objects(&data);
    assert_eq!(found.classes, ["cat", "dog"]);
    assert!(data.pixel_classes().is_empty());
    assert_eq!(found.images[0].objects[0].class, 1);
    let b = &found.images[1].objects[0];
    assert!(b.difficult && !b.crowd);
    assert_eq!((b.bounds.left, b.bounds.bottom), (1.0, 1.0));
    assert!(found.problems[0].contains("c.jpg is missing"));

    write(inside("ImageSets/Main/trainval.txt"), "a\n\nb  1\n");
    write(inside("ImageSets/Main/val.txt"), "b\n");
    assert_eq!(boxes(&place).0.len(), 2);
    let (names, data) = boxes(&format!("{}:val", spec(archive(folder.path()))));
    assert_eq!(names, ["SET/JPEGImages/b.png"]);
    assert!(data.description().contains("all.tar:val"));
    let none = message(&format!("{place}:test"));
    assert!(none.contains("test.txt"), "{none}");
}

#[test]
fn broken_annotations_are_named_and_lose_no_other() {
    let folder = tree(&["JPEGImages/a.png", "JPEGImages/b.png"]);
    let inside = |name: &str| folder.path().join(name);
    write(inside("Annotations/a.xml"), xml("dog", [9, 1, 9, 2]));
    write(inside("Annotations/b.xml"), "<annotation>");
    write(inside("ImageSets/Main/trainval.txt"), "a\nb\n");
    let place = spec(folder.path());
    let (names, data) = boxes(&place);
    assert_eq!(names, ["JPEGImages/a.png"]);
    let found = objects(&data);
    assert!(found.images[0].objects.is_empty());
    assert!(found.problems[0].contains("a.xml: object 1 is left out: the box"));
    assert!(found.problems[1].contains("b.xml: not XML"));

    write(inside("ImageSets/Main/trainval.txt"), "b\n");
    let nothing = message(&place);
    assert!(nothing.contains("no image is left"), "{nothing}");
    assert!(nothing.contains("b.xml"), "{nothing}");
}

#[test]
fn other_places_are_in_none_of_the_layouts() {
    let folder = tree(&["cats/a.png"]);
    assert!(open(&spec(folder.path())).expect("readable").is_none());
    assert!(open("builtin").expect("readable").is_none());
    write(folder.path().join("a.json"), "{}");
    let damaged = message(&spec(folder.path().join("a.json")));
    assert!(
        damaged.contains("a.json: not the JSON of COCO"),
        "{damaged}"
    );
}
