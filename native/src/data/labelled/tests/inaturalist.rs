//! iNaturalist, against the numbers that the official loader gives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{assert_cuts_are_refused, refusal, set};
use crate::data::testing::{dataset_fixture, names, open, shades, spec, write};

#[derive(Deserialize)]
struct OfficialClasses {
    names: Vec<String>,
    classes: Vec<usize>,
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

/// The paths of the images of both parts, as the files name them.
fn images() -> Vec<String> {
    let mut images = Vec::new();
    for file in ["train2018.json", "val2018.json"] {
        let listing = json_of(&dataset_fixture("inaturalist").join(file));
        for image in listing["images"].as_array().expect("a list") {
            images.push(image["file_name"].as_str().expect("a name").to_owned());
        }
    }
    images
}

fn inaturalist() -> TempDir {
    set("inaturalist", &images())
}

/// Changes a file of the set.
fn change(folder: &TempDir, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(file);
    let mut value = json_of(&path);
    change(&mut value);
    write(path, value.to_string());
}

fn list<'a>(listing: &'a mut Value, key: &str) -> &'a mut Vec<Value> {
    listing[key].as_array_mut().expect("a list")
}

#[test]
fn classes_are_numbered_as_in_the_official_loader() {
    let folder = inaturalist();
    let path = dataset_fixture("inaturalist/expected.json");
    let expected: BTreeMap<String, OfficialClasses> =
        serde_json::from_value(json_of(&path)).expect("classes");
    assert_eq!(expected.len(), 6);
    for (part, OfficialClasses { names, classes }) in expected {
        let mut parts = vec![part.clone(), part.replace('/', "2018/")];
        if let Some(plain) = part.strip_suffix("/name") {
            parts.push(plain.to_owned());
        }
        for part in parts {
            let data = open(format!("{}:{part}", spec(folder.path()))).expect("the set");
            assert_eq!(data.classes(), names, "{part}");
            let found: Vec<usize> = (0..data.len())
                .filter_map(|image| data.label(image))
                .collect();
            assert_eq!(found, classes, "{part}");
        }
    }

    let data = open(folder.path()).expect("the set");
    assert_eq!(shades(&data), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(names(&data)[..], images()[..7]);
}

#[test]
fn images_may_lie_without_the_folder_of_their_kingdom() {
    let short: Vec<String> = images()
        .iter()
        .map(|path| {
            let parts: Vec<&str> = path.split('/').collect();
            [parts[0], parts[2], parts[3]].join("/")
        })
        .collect();
    let folder = set("inaturalist", &short);
    let data = open(spec(folder.path()) + ":val").expect("the set");
    assert_eq!(shades(&data), [7, 8, 9, 10]);
}

#[test]
fn categories_may_stand_among_the_annotations() {
    let folder = inaturalist();
    let categories = json_of(&folder.path().join("categories.json"));
    fs::remove_file(folder.path().join("categories.json")).expect("it is there");
    let message = refusal(folder.path(), "");
    assert!(
        message.contains("7 annotations have a category that is not listed: 3, 1, 3, ..."),
        "{message}"
    );
    change(&folder, "train2018.json", |train| {
        train["categories"] = categories
    });
    assert_eq!(
        open(folder.path()).expect("the set").classes()[0],
        "Parus ater"
    );
}

#[test]
fn faults_are_counted_and_named() {
    let folder = inaturalist();
    let message = refusal(folder.path(), ":test");
    assert!(
        message.contains("`:train`, `:val`, `:train2018`, `:val2018`"),
        "{message}"
    );
    let message = refusal(folder.path(), ":train/clan");
    assert!(
        message.contains("no `clan`; it has family, id, name"),
        "{message}"
    );
    assert_cuts_are_refused(&folder, "val2018.json", ":val");
    assert_cuts_are_refused(&folder, "categories.json", "");

    let gone = folder.path().join(&images()[7]);
    fs::remove_file(&gone).expect("it is there");
    let message = refusal(folder.path(), ":val");
    assert!(
        message.contains("1 of the 4 images that have labels"),
        "{message}"
    );
    assert!(message.contains(&images()[7]), "{message}");
    fs::remove_file(folder.path().join("val2018.json")).expect("it is there");
    assert!(refusal(folder.path(), ":val").contains("val2018.json"));
    assert_eq!(open(folder.path()).expect("complete").len(), 7);
}

#[test]
fn images_and_annotations_belong_together() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 6] = [
        (
            "val2018.json",
            |val| list(val, "annotations").truncate(2),
            "2 of 4 images have no annotation",
        ),
        (
            "val2018.json",
            |val| list(val, "images").truncate(3),
            "1 annotations are of images that are not listed: 100",
        ),
        (
            "val2018.json",
            |val| val["annotations"][0]["image_id"] = val["annotations"][1]["image_id"].clone(),
            "has two classes",
        ),
        (
            "val2018.json",
            |val| val["annotations"][0]["category_id"] = json!(9),
            "category 9, which is not listed",
        ),
        (
            "train2018.json",
            |train| train["annotations"][3]["category_id"] = json!(0),
            "category 4, of which there is no image to train on",
        ),
        (
            "train2018.json",
            |train| {
                train["images"] = json!([]);
                train["annotations"] = json!([]);
            },
            "no image to train on",
        ),
    ];
    for (file, changed, expected) in cases {
        let folder = inaturalist();
        change(&folder, file, changed);
        let message = refusal(folder.path(), ":val");
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("val2018.json"), "{message}");
    }
    let folder = inaturalist();
    let nothing = json!({ "images": [], "annotations": [] });
    write(folder.path().join("train2018.json"), nothing.to_string());
    assert!(refusal(folder.path(), "").contains("it lists no image"));
}
