use serde::Deserialize;

use super::*;
use crate::annotation::labels::IGNORED;
use crate::grid::Grid;
use crate::testing::test;

const FIXTURE: &str = include_str!("../../../../tests/fixtures/eval/coco.json");

#[derive(Deserialize)]
struct Fixture {
    polygons: Vec<Drawn>,
    noise: Vec<Runs>,
}

/// What pycocotools makes of polygons.
#[derive(Deserialize)]
struct Drawn {
    width: usize,
    height: usize,
    polygons: Vec<Vec<f64>>,
    runs: String,
    area: usize,
}

/// The same mask in both forms.
#[derive(Deserialize)]
struct Runs {
    width: usize,
    height: usize,
    plain: Vec<u32>,
    runs: String,
}

fn fixture() -> Fixture {
    serde_json::from_str(FIXTURE).expect("the fixture")
}

#[test]
fn polygons_cover_the_pixels_that_pycocotools_finds() {
    for (number, drawn) in fixture().polygons.into_iter().enumerate() {
        let size = (drawn.width, drawn.height);
        let mut polygons = Vec::new();
        for list in &drawn.polygons {
            polygons.push(Polygon::new(list, size).expect("three corners or more"));
        }
        let mask = rasterize(&polygons, size).expect("an image");
        let area = mask.cells().iter().filter(|inside| **inside).count();
        assert_eq!(area, drawn.area, "area of case {number}");

        let runs = RunLengths::of_mask(&mask);
        assert_eq!(runs.to_text(), drawn.runs, "case {number}");
        assert_eq!(runs.mask(), mask, "case {number}");
    }
}

#[test]
fn run_lengths_are_read_and_written_as_by_pycocotools() {
    for Runs {
        width,
        height,
        plain,
        runs,
    } in fixture().noise
    {
        let read = RunLengths::from_text(width, height, &runs).expect("sound");
        assert_eq!(read.counts(), plain);
        assert_eq!(read.to_text(), runs);
        let same = RunLengths::new(width, height, plain).expect("sound");
        assert_eq!(same, read);
        assert_eq!(RunLengths::of_mask(&same.mask()), read);
    }
}

#[test]
fn run_lengths_go_down_the_columns() {
    let runs = RunLengths::new(3, 2, vec![1, 2, 3]).expect("six pixels");
    let mask = Grid::new(2, 3, vec![false, true, false, true, false, false]);
    assert_eq!(runs.mask(), mask.expect("six pixels"));
}

#[test]
fn run_lengths_of_another_size_are_refused() {
    let sum = RunError::Sum {
        sum: 5,
        pixels: 6,
        width: 3,
        height: 2,
    };
    assert_eq!(RunLengths::new(3, 2, vec![2, 3]), Err(sum));
    assert_eq!(
        RunLengths::new(usize::MAX, 2, vec![]),
        Err(RunError::Size {
            width: usize::MAX,
            height: 2
        })
    );
    let wide = Polygon::new(&[0.0, 0.0, 1e9, 0.0, 1e9, 1.0], (1 << 30, 1)).expect("corners");
    assert!(rasterize(&[wide], (1 << 30, 1)).is_err());
    let text = |text| RunLengths::from_text(3, 2, text);
    assert_eq!(text("P"), Err(RunError::Truncated));
    assert_eq!(
        text("1 "),
        Err(RunError::Character {
            place: 1,
            character: ' '
        })
    );
    assert_eq!(text("O"), Err(RunError::Length { run: 0, length: -1 }));
    assert!(text("oooooooooooooooo").is_err());
}

#[test]
fn too_few_or_far_corners_are_no_polygon() {
    let size = (10, 8);
    let two = Polygon::new(&[1.0, 2.0, 3.0, 4.0], size);
    assert_eq!(two, Err(PolygonError::Points { points: 2 }));
    let half = Polygon::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], size);
    assert_eq!(half, Err(PolygonError::Pairs { numbers: 7 }));
    for far in [1e9, f64::NAN, -11.0] {
        let polygon = Polygon::new(&[1.0, 2.0, 3.0, 4.0, far, 6.0], size);
        assert!(matches!(polygon, Err(PolygonError::Outside { .. })));
    }
}

const SET: &str = r#"{"info": {}, "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog", "supercategory": "animal"}],
    "images": [{"id": 5, "file_name": "a.jpg", "width": 4, "height": 3, "license": 1},
        {"id": 3, "file_name": "b.jpg", "width": 2, "height": 2}],
    "annotations": [
        {"id": 1, "image_id": 5, "category_id": 9, "bbox": [0, 0, 2, 3], "area": 6.0, "iscrowd": 0,
            "segmentation": [[0, 0, 2, 0, 2, 3, 0, 3]]},
        {"id": 2, "image_id": 5, "category_id": 7, "bbox": [1, 0, 2.5, 3.5], "iscrowd": 1,
            "segmentation": {"size": [3, 4], "counts": [3, 6, 3]}},
        {"id": 4, "image_id": 3, "category_id": 7, "bbox": [0, 0, 1, 1]}]}"#;

#[test]
fn objects_belong_to_their_images() {
    let set = CocoSet::read(SET.as_bytes()).expect("sound");
    assert!(set.problems.is_empty(), "{:?}", set.problems);
    assert_eq!(set.categories[1].name, "dog");
    let [a, b] = &set.images[..] else {
        panic!("two images")
    };
    assert_eq!((a.id, a.file.as_str(), a.objects.len()), (5, "a.jpg", 2));
    let dog = &a.objects[0];
    assert_eq!(
        (dog.id, dog.category, dog.crowd, dog.area),
        (1, 1, false, 6.0)
    );
    let crowd = &a.objects[1];
    assert_eq!((crowd.category, crowd.crowd, crowd.area), (0, true, 7.5));
    assert_eq!((crowd.bounds.right, crowd.bounds.bottom), (3.5, 3.0));
    assert_eq!(b.objects[0].region, None, "only its box is known");

    // The dog is in columns 0 and 1, the cats in 1 and 2.
    let regions = a.objects.iter().filter_map(|object| {
        let region = object.region.as_ref()?;
        Some((object.category + 1, region))
    });
    let labels = region_labels((a.width, a.height), regions).expect("an image");
    let row = [2, IGNORED, 1, 0];
    assert_eq!(labels.cells(), [row, row, row].concat());
}

#[test]
fn wrong_entries_are_named_and_lose_no_other() {
    let message = |old: &str, new: &str| {
        assert!(SET.contains(old), "{old}");
        let set = CocoSet::read(SET.replacen(old, new, 1).as_bytes()).expect("the others");
        let objects: usize = set.images.iter().map(|image| image.objects.len()).sum();
        let problem = set.problems.first().expect("a problem").to_string();
        (set.problems.len(), objects, problem)
    };
    let short = message("[0, 0, 2, 0, 2, 3, 0, 3]", "[0, 0, 2, 0]");
    let text = "annotation 1 of a.jpg is without its mask, as polygon 1: it has 2 points, and needs three or more";
    assert_eq!(short, (1, 3, text.to_owned()));
    let category = message("\"category_id\": 9", "\"category_id\": 8");
    let text = "annotation 1 of a.jpg is left out, as there is no category 8";
    assert_eq!(category, (1, 2, text.to_owned()));
    let image = message("\"image_id\": 3", "\"image_id\": 30");
    let text = "annotation 4 is left out, as there is no image 30";
    assert_eq!(image, (1, 2, text.to_owned()));
    let outside = message("[0, 0, 1, 1]", "[2, 0, 1, 1]");
    assert_eq!((outside.0, outside.1), (1, 2));
    assert!(
        outside
            .2
            .contains("annotation 4 of b.jpg is left out, as the box")
    );

    let runs = message("[3, 6, 3]", "[3, 6]");
    assert_eq!((runs.0, runs.1), (1, 3));
    assert!(runs.2.contains("9 pixels long"), "{}", runs.2);
    let size = message("[3, 4]", "[4, 3]");
    assert!(
        size.2.contains("3 x 4 pixels where its image has 4 x 3"),
        "{}",
        size.2
    );
    let twice = message("\"id\": 3,", "\"id\": 5,");
    assert_eq!(twice.0, 2, "the second image, and what belongs to it");
    assert_eq!(
        twice.2,
        "image b.jpg is left out, as an earlier entry has the same id"
    );

    for (old, new) in [
        ("[0, 0, 1, 1]", "[0, 0, 1]"),
        ("[0, 0, 1, 1]", "\"none\""),
        ("[[0, 0, 2, 0, 2, 3, 0, 3]]", "7"),
        ("\"image_id\": 3", "\"image_id\": -3"),
    ] {
        let (problems, objects, text) = message(old, new);
        assert_eq!((problems, objects), (1, 2), "{text}");
        assert!(text.starts_with("annotation number"), "{text}");
        assert!(text.contains("cannot be read"), "{text}");
    }
}

#[test]
fn other_files_are_refused() {
    let message = |text: &str| {
        CocoSet::read(text.as_bytes())
            .expect_err("none")
            .to_string()
    };
    assert!(message("no JSON").contains("not the JSON"));
    assert!(message("[]").contains("not the JSON"));
    assert!(message(r#"{"images": [], "annotations": []}"#).contains("categories"));
    let empty = r#"{"images": [{"id": 1, "file_name": "a", "width": 0, "height": 2}], "annotations": [], "categories": []}"#;
    assert!(message(empty).contains("no image"));
}
