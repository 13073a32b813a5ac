//! `ibot eval discovery` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn discovery(data: &Path, model: &Path, results: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "discovery", "--device=cpu"]);
    command.arg("--data").arg(data).arg("--model").arg(model);
    command.arg("--results").arg(results.join("lines.jsonl"));
    command.args(more);
    command
}

fn measures(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    let mut result: Value =
        serde_json::from_str(line.lines().next().expect("a line")).expect("JSON");
    result["measures"].take()
}

/// A red square on blue, 24 pixels wide, at each place.
fn write_squares(root: &Path, places: &[u32]) {
    let images = root.join("JPEGImages");
    let annotations = root.join("Annotations");
    fs::create_dir_all(&images).expect("a folder");
    fs::create_dir_all(&annotations).expect("a folder");
    for (number, place) in places.iter().enumerate() {
        let end = place + 24;
        let inside = |at: u32| (*place..end).contains(&at);
        let picture = image::RgbImage::from_fn(96, 72, |x, y| match inside(x) && inside(y) {
            true => image::Rgb([240, 20, 10]),
            false => image::Rgb([20, 40, 200 + (x % 8) as u8]),
        });
        picture
            .save(images.join(format!("{number}.png")))
            .expect("a picture");
        let first = place + 1;
        let xml = format!(
            "<annotation><size><width>96</width><height>72</height></size><object><name>square</name>
            <bndbox><xmin>{first}</xmin><ymin>{first}</ymin><xmax>{end}</xmax><ymax>{end}</ymax></bndbox></object></annotation>"
        );
        fs::write(annotations.join(format!("{number}.xml")), xml).expect("written");
    }
}

#[test]
fn squares_are_found_by_their_pixels() {
    let folder = folder();
    let root = folder.path().join("squares");
    write_squares(&root, &[8, 24, 40]);
    let picture = folder.path().join("found.png");
    let drawn = format!("--picture={}", picture.display());
    for method in ["--method=ncut", "--method=expansion"] {
        let found = measures(discovery(
            &root,
            Path::new("pixels"),
            folder.path(),
            &[method, &drawn],
        ));
        assert_eq!(found["corloc"], 1.0, "{method}: {found}");
        assert_eq!(found["corloc_whole"], 0.0);
    }
    let drawn = image::open(&picture).expect("a picture");
    assert!(drawn.width() > 3 * 256, "three panels");

    // What is broken is named and loses no other.
    fs::write(root.join("JPEGImages/1.png"), "no picture").expect("written");
    fs::write(root.join("Annotations/2.xml"), "<annotation>").expect("written");
    let text = succeed(discovery(&root, Path::new("pixels"), folder.path(), &[]));
    assert!(
        text.contains("1.png") && text.contains("2.xml: not XML"),
        "{text}"
    );
    assert!(text.contains("100.0 %  of 1 images"), "{text}");
}

#[test]
fn scenes_have_a_box_around_their_object() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));
    let more = ["--images=20", "--beside=pixels,untrained"];
    let found = measures(discovery(
        Path::new("builtin:val"),
        &run,
        folder.path(),
        &more,
    ));
    let share = found["corloc"].as_f64().expect("a measure");
    assert!((0.0..=1.0).contains(&share), "{found}");
    assert!(found["corloc_whole"].as_f64() > Some(0.0), "{found}");
    let lines = fs::read_to_string(folder.path().join("lines.jsonl")).expect("results");
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn images_without_boxes_are_refused() {
    let folder = folder();
    let root = folder.path().join("plain");
    fs::create_dir_all(&root).expect("a folder");
    image::RgbImage::new(8, 8)
        .save(root.join("a.png"))
        .expect("a picture");
    let message = fail(discovery(&root, Path::new("pixels"), folder.path(), &[]));
    assert!(message.contains("images with boxes or masks"), "{message}");

    write_squares(&root, &[8]);
    let split = format!("{}:val", root.display());
    let message = fail(discovery(
        Path::new(&split),
        Path::new("pixels"),
        folder.path(),
        &[],
    ));
    assert!(message.contains("val.txt"), "{message}");
}
