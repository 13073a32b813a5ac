//! `ibot search` and `ibot duplicates` as a user runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn command(name: &str, model: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args([name, "--device=cpu"]);
    command.arg("--model").arg(model).arg("--out").arg(out);
    command.args(more);
    command
}

fn numbers(file: &Path) -> Value {
    let text = fs::read_to_string(file).expect("numbers");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn images_and_files_of_features_are_searched_alike() {
    let folder = folder();
    let (run, out) = (folder.path().join("run"), folder.path().join("found"));
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    let queries = ["builtin:val#7", "builtin:val#400", "--top=5"];
    let search = |data: &str| {
        let data = format!("--data={data}");
        let options = [&queries[..], &[data.as_str()]].concat();
        succeed(command("search", &run, &out, &options));
        assert!(
            fs::metadata(out.join("search.png"))
                .expect("a picture")
                .len()
                > 1000
        );
        numbers(&out.join("search.json"))["queries"].take()
    };
    let found = search("builtin:val");
    assert_eq!(found.as_array().expect("queries").len(), 2);
    let first = &found[0]["results"][0];
    assert_eq!(first["file"], "builtin:val#7", "a query finds itself first");
    assert!((first["cosine"].as_f64().expect("a number") - 1.0).abs() < 1e-5);

    for ending in ["npy", "safetensors", "parquet"] {
        let file = folder.path().join(format!("features.{ending}"));
        let mut embed = ibot();
        embed.args(["embed", "--data=builtin:val", "--device=cpu", "--model"]);
        embed.arg(&run).arg("--out").arg(&file);
        succeed(embed);
        let saved = search(&file.display().to_string());
        for query in 0..2 {
            for place in 0..5 {
                let (a, b) = (
                    &found[query]["results"][place],
                    &saved[query]["results"][place],
                );
                assert_eq!(a["file"], b["file"], "{ending}");
            }
        }
    }

    let file = format!("--data={}", folder.path().join("features.npy").display());
    let message = fail(command(
        "search",
        &run,
        &out,
        &["builtin:val#1", &file, "--patch-mean"],
    ));
    assert!(message.contains("16 numbers"), "{message}");
    let message = fail(command(
        "search",
        &run,
        &out,
        &["builtin:val#9000", "--data=builtin"],
    ));
    assert!(message.contains("no image 9000"), "{message}");
}

#[test]
fn near_duplicates_are_grouped() {
    let folder = folder();
    let (run, out) = (folder.path().join("run"), folder.path().join("twice"));
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    let photos = folder.path().join("photos");
    fs::create_dir_all(&photos).expect("a folder");
    for number in 0..12u32 {
        let picture = image::RgbImage::from_fn(64, 48, |x, y| {
            let wave = |place: u32| ((place * (number + 3)) as f32 / 20.0).sin();
            let level = |value: f32| (127.0 + 120.0 * value) as u8;
            image::Rgb([level(wave(x)), level(wave(y)), (number * 20) as u8])
        });
        picture
            .save(photos.join(format!("{number}.png")))
            .expect("saved");
        if number == 5 {
            picture.save(photos.join("5-again.png")).expect("saved");
        }
    }
    fs::write(photos.join("broken.png"), "no picture").expect("written");

    let data = photos.display().to_string();
    let printed = succeed(command(
        "duplicates",
        &run,
        &out,
        &[&data, "--threshold=0.99999"],
    ));
    assert!(printed.contains("broken.png"), "{printed}");
    let found = numbers(&out.join("duplicates.json"));
    assert_eq!(found["images"], 13);
    assert_eq!(
        found["groups"].as_array().expect("groups").len(),
        1,
        "{found}"
    );
    let files = found["groups"][0]["files"].to_string();
    assert!(
        files.contains("5.png") && files.contains("5-again.png"),
        "{files}"
    );
    let cosine = &found["groups"][0]["pairs"][0]["cosine"];
    assert!(cosine.as_f64().expect("a number") > 0.99999, "{found}");
    assert!(out.join("duplicates.png").exists());

    let printed = succeed(command("duplicates", &run, &out, &[&data]));
    assert!(printed.contains("copies that were made"), "{printed}");
    let measured = &numbers(&out.join("duplicates.json"))["measured"];
    assert_eq!(measured["copies"], 13 * 4);
    assert!(measured["found"].as_f64().expect("a share") >= 0.95);

    let message = fail(command("duplicates", &run, &out, &[&data, "--threshold=2"]));
    assert!(message.contains("between -1 and 1"), "{message}");
}
