//! `ibot segment` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use ibot_native::data::{Dataset, decode_mask};
use serde_json::Value;

use crate::eval_segmentation::scenes;
use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn segment(photographs: &Path, masks: &Path, model: &Path, out: &Path) -> Command {
    let mut command = ibot();
    command.args(["segment", "--device=cpu"]).arg(photographs);
    command.arg("--masks").arg(masks);
    command.arg("--model").arg(model).arg("--out").arg(out);
    command
}

#[test]
fn a_few_masks_segment_photographs() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let (model, out) = (path("run"), path("out"));
    succeed(tiny(&model, "builtin:val", &["--set=optim.epochs=1"]));
    scenes(folder.path(), 8);

    // Masks of the first photographs, of which one is damaged and one of another.
    let few = path("few");
    fs::create_dir(&few).expect("writable");
    for index in 0..3 {
        let name = format!("{index}.png");
        fs::copy(path("masks").join(&name), few.join(name)).expect("a copy");
    }
    fs::write(few.join("4.png"), "no picture").expect("writable");
    fs::copy(path("masks/0.png"), few.join("elsewhere.png")).expect("a copy");
    fs::write(few.join("classes.txt"), "ground\nwall\n").expect("writable");

    let images = path("images");
    let output = succeed(segment(&images, &few, &model, &out));
    assert!(
        output.contains("few/4.png") && output.contains("no photograph"),
        "{output}"
    );
    assert!(output.contains("3 masks"), "{output}");

    let text = fs::read_to_string(out.join("segment.json")).expect("numbers");
    let numbers: Value = serde_json::from_str(&text).expect("JSON");
    let found = numbers["images"].as_array().expect("images");
    assert_eq!((found.len(), &numbers["masks"]), (8, &Value::from(3)));
    assert_eq!(numbers["classes"][0]["name"], "ground");

    let data = Dataset::open("builtin:val").expect("scenes");
    for (index, image) in found.iter().enumerate() {
        let shares = image["shares"].as_object().expect("shares");
        let sum: f64 = shares.values().filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{image}");

        let mask = out.join(format!("masks/{index}.png"));
        let mask = decode_mask(&fs::read(mask).expect("a file")).expect("a mask");
        let truth = data.mask(index).expect("parts");
        assert_eq!(
            (mask.rows(), mask.columns()),
            (truth.rows(), truth.columns())
        );
        assert!(out.join(format!("overlays/{index}.png")).is_file());
        if index < 3 {
            // A labelled photograph finds its own patches.
            let pairs = mask.cells().iter().zip(truth.cells());
            let equal = pairs.filter(|(found, truth)| found == truth).count();
            assert!(2 * equal > mask.cells().len(), "{index}: {equal}");
        }
    }

    fs::remove_dir_all(&few).expect("removed");
    fs::create_dir(&few).expect("writable");
    let message = fail(segment(&images, &few, &model, &out));
    assert!(message.contains("no mask that can be used"), "{message}");
}
