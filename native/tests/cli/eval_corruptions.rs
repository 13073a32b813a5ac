//! `ibot corrupt` and `ibot eval corruptions` as a user runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

fn corrupt(out: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["corrupt", "builtin:val", "--limit=20", "--out"]);
    command.arg(out).args(more);
    command
}

fn evaluate(model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "corruptions", "--data=builtin:val", "--device=cpu"]);
    command.args(["--train-images=200", "--val-images=50", "--model"]);
    command.arg(model).args(more);
    command
}

fn measures(command: Command) -> Value {
    let printed = succeed(command);
    let line = printed.lines().find(|line| line.starts_with('{'));
    let mut result: Value = serde_json::from_str(line.expect("a line")).expect("JSON");
    result["measures"].take()
}

#[test]
fn images_are_corrupted_into_the_folders_of_the_benchmark() {
    let folder = folder();
    let out = folder.path().join("corrupted");
    let two = ["--corruption=fog,pixelate", "--severity=1,5"];
    let printed = succeed(corrupt(&out, &two));
    assert!(
        printed.contains("wrote   80 files of 20 images"),
        "{printed}"
    );
    assert!(out.join("corruptions.png").is_file());

    let fog = out.join("fog/5");
    let classes = fs::read_dir(&fog).expect("classes").count();
    assert_eq!(classes, 10);
    let files: Vec<_> = fs::read_dir(fog.join("fish")).expect("images").collect();
    assert_eq!(files.len(), 2);

    // What is there stays; what was lost comes again, the same.
    let lost = files[0].as_ref().expect("a file").path();
    let bytes = fs::read(&lost).expect("an image");
    fs::remove_file(&lost).expect("removable");
    let printed = succeed(corrupt(&out, &two));
    assert!(printed.contains("wrote   1 files"), "{printed}");
    assert_eq!(fs::read(&lost).expect("an image"), bytes);

    let message = fail(corrupt(&out, &["--seed=1"]));
    assert!(message.contains("choose another --out"), "{message}");
    let message = fail(corrupt(folder.path(), &[]));
    assert!(message.contains("is not empty"), "{message}");
    let refused = corrupt(&out, &["--corruption=rain"]).output();
    let message = refused.expect("the program").stderr;
    let message = String::from_utf8_lossy(&message);
    assert!(message.contains("`rain` is no corruption"), "{message}");
}

#[test]
fn images_of_one_name_have_files_of_their_own_in_every_call() {
    let folder = folder();
    let seen = folder.path().join("seen");
    succeed(corrupt(&seen, &["--corruption=contrast", "--severity=1"]));
    let fish = fs::read_dir(seen.join("contrast/1/fish")).expect("images");
    let fish: Vec<_> = fish.map(|file| file.expect("a file").path()).collect();

    let list = folder.path().join("photos.csv");
    let mut lines = String::new();
    for (place, file) in ["one/x.jpg", "two/x.jpg"].into_iter().zip(&fish) {
        let photo = folder.path().join(place);
        fs::create_dir_all(photo.parent().expect("a folder")).expect("a folder");
        fs::copy(file, &photo).expect("a photograph");
        lines += &format!("{place},..\n");
    }
    fs::write(&list, lines).expect("a list");

    let out = folder.path().join("corrupted");
    let write = |limit: &str| {
        let mut command = ibot();
        command.args(["corrupt", "--corruption=pixelate", "--severity=1", limit]);
        command.arg(&list).arg("--out").arg(&out);
        succeed(command)
    };
    assert!(write("--limit=1").contains("wrote   1 files"));
    assert!(write("--limit=2").contains("wrote   1 files"));
    // The class is `..`, which must not lead out of the folder.
    let written = out.join("pixelate/1/-.");
    let read = |name: &str| fs::read(written.join(name)).expect("a copy");
    assert_ne!(read("x.jpg"), read("x-1.jpg"));
}

#[test]
fn errors_are_counted_on_made_and_on_stored_images() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));

    let two = ["--corruption=contrast,snow", "--severity=1,5", "--json"];
    let made = measures(evaluate(&run, &two));
    for name in [
        "error_clean",
        "error_contrast",
        "error_snow",
        "error_mean15",
    ] {
        let error = made[name].as_f64().expect("a share");
        assert!((0.0..=1.0).contains(&error), "{name}: {made}");
    }
    assert!(made["mce"].is_null() && made["error_fog"].is_null());
    assert_eq!(made, measures(evaluate(&run, &two)));

    // Files that lose nothing give the features of images that are corrupted when they are loaded,
    // if the view is the whole image.
    let out = folder.path().join("corrupted");
    let mut write = ibot();
    write.args(["corrupt", "builtin:val", "--format=png", "--out"]);
    write.arg(&out).args(&two[..2]);
    succeed(write);
    fs::remove_dir_all(out.join("snow/5")).expect("removable");
    fs::write(out.join("contrast/5/fish/broken.png"), "no image").expect("writable");
    let stored = format!("--corrupted={}", out.display());
    let table = succeed(evaluate(&run, &[&stored, "--severity=1,5"]));
    assert!(
        table.contains("fog/1") && table.contains("snow/5"),
        "{table}"
    );
    assert!(table.contains("2 corruptions, 3 settings"), "{table}");

    let nothing = format!("--corrupted={}", run.display());
    let message = fail(evaluate(&run, &[&nothing]));
    assert!(message.contains("gaussian_noise/1"), "{message}");
}
