//! `ibot eval copies` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn copies(data: &Path, model: &Path, results: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "copies", "--device=cpu"]);
    command.arg("--data").arg(data).arg("--model").arg(model);
    command.arg("--results").arg(results.join("lines.jsonl"));
    command.args(more);
    command
}

fn measures(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    let mut result: Value = serde_json::from_str(&line).expect("JSON");
    result["measures"].take()
}

fn picture(file: &Path, shade: u8) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let picture = image::RgbImage::from_fn(48, 40, |x, y| match shade {
        0 => image::Rgb([250, (x * 5) as u8, 10]),
        _ => image::Rgb([0, 30, (y * 6) as u8]),
    });
    picture.save(file).expect("a picture");
}

#[test]
fn official_layouts_and_own_images_are_searched() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    let root = folder.path().join("copydays");
    for block in ["original", "crops/10", "jpegqual/75"] {
        picture(&root.join(block).join("200000.jpg"), 0);
        picture(&root.join(block).join("200100.jpg"), 1);
    }
    picture(&root.join("strong/200101.jpg"), 1);
    for model in [run.as_path(), Path::new("pixels")] {
        // Two originals are fewer than the 20 images that are looked at.
        let found = measures(copies(&root, model, folder.path(), &[]));
        for block in ["", "_original", "_strong", "_crops_10", "_jpegqual_75"] {
            assert_eq!(found[format!("map{block}")], 1.0, "{block} of {found}");
        }
    }

    let whitened = ["--originals=5", "--images=60", "--whitening=builtin:val"];
    let distracted = ["--originals=5", "--images=60", "--distractors=builtin:val"];
    for options in [whitened, distracted] {
        let found = measures(copies(Path::new("builtin"), &run, folder.path(), &options));
        let map = found["map_jpeg_50"].as_f64().expect("a measure");
        assert!(map > 0.5, "{found}");
        assert!(found["map_original"].is_null(), "{found}");
    }

    fs::remove_file(root.join("crops/10/200100.jpg")).expect("removed");
    let message = fail(copies(&root, &run, folder.path(), &[]));
    assert!(message.contains("crops/10: 1 images"), "{message}");
}
