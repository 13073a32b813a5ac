//! `ibot eval video` and `ibot track` as a user runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;

use crate::support::process::{fail, folder, ibot, succeed, tiny};

const FRAMES: u32 = 6;

/// A red and a blue square that move over a green ground.
fn object_at(frame: u32, x: u32, y: u32) -> u8 {
    let inside =
        |left: u32, top: u32| (left..left + 24).contains(&x) && (top..top + 24).contains(&y);
    if inside(8 + 4 * frame, 6) {
        1
    } else {
        2 * u8::from(inside(60 - 4 * frame, 36))
    }
}

fn write_frame(file: &Path, frame: u32) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let picture = RgbImage::from_fn(96, 64, |x, y| match object_at(frame, x, y) {
        1 => Rgb([230, 30, 20]),
        2 => Rgb([20, 40, 220]),
        _ => Rgb([40, 130 + (x % 16) as u8, 60]),
    });
    picture.save(file).expect("a picture");
}

fn write_mask(file: &Path, frame: u32, label: impl Fn(u8) -> u8) {
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let mask = GrayImage::from_fn(96, 64, |x, y| Luma([label(object_at(frame, x, y))]));
    mask.save(file).expect("a mask");
}

/// A sequence in the layout of DAVIS.
fn write_sequence(root: &Path, name: &str, label: impl Fn(u8) -> u8) {
    for frame in 0..FRAMES {
        let file = |top: &str, end: &str| root.join(format!("{top}/480p/{name}/{frame:05}.{end}"));
        write_frame(&file("JPEGImages", "png"), frame);
        write_mask(&file("Annotations", "png"), frame, &label);
    }
}

fn video(root: &Path, model: &Path, more: &[&str]) -> Command {
    let mut command = ibot();
    command.args(["eval", "video", "--device=cpu", "--short-side=128"]);
    command.arg("--data").arg(root).arg("--model").arg(model);
    command.arg("--results").arg(root.join("lines.jsonl"));
    command.args(more);
    command
}

fn result(mut command: Command) -> Value {
    command.arg("--json");
    let line = succeed(command);
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn sequences_are_followed_and_broken_ones_lose_no_other() {
    let folder = folder();
    let run = folder.path().join("run");
    succeed(tiny(&run, "builtin:val", &["--set=optim.epochs=1"]));
    let root = folder.path().join("DAVIS");
    write_sequence(&root, "two", |label| label);
    // As in 2016: one object of 255.
    write_sequence(&root, "one", |label| 255 * u8::from(label == 1));

    let masks = folder.path().join("masks");
    let out = format!("--out-masks={}", masks.display());
    let all = ["jf_mean", "j_mean_one", "j_mean_two", "f_recall"];
    // Patches of plain pixels are large, so that boundaries are coarse.
    for (model, measures) in [(run.as_path(), &all[..]), (Path::new("pixels"), &all[1..3])] {
        let found = result(video(&root, model, &[&out]));
        assert_eq!(found["images"]["frames"], 12, "{found}");
        for measure in measures {
            let value = found["measures"][measure].as_f64().expect("a measure");
            assert!(value > 0.5 && value <= 1.0, "{measure} of {found}");
        }
    }
    let first = image::open(masks.join("two/00000.png"))
        .expect("a picture")
        .into_rgb8();
    assert_eq!(first.get_pixel(10, 8).0, [128, 0, 0]);
    assert_eq!(first.get_pixel(62, 40).0, [0, 128, 0]);
    assert!(masks.join("one/00005.png").is_file());

    // What is broken is named and left out.
    write_sequence(&root, "gap", |label| label);
    fs::write(root.join("JPEGImages/480p/gap/00003.png"), "no picture").expect("written");
    write_sequence(&root, "size", |label| label);
    let small = GrayImage::from_pixel(40, 30, Luma([1]));
    small
        .save(root.join("Annotations/480p/size/00002.png"))
        .expect("a mask");
    write_sequence(&root, "short", |label| label);
    for frame in 2..FRAMES {
        let file = format!("JPEGImages/480p/short/{frame:05}.png");
        fs::remove_file(root.join(file)).expect("a frame");
    }
    write_sequence(&root, "nothing", |_| 0);
    write_sequence(&root, "unmasked", |label| label);
    fs::remove_file(root.join("Annotations/480p/unmasked/00000.png")).expect("a mask");
    let table = succeed(video(&root, &run, &["--as-released", "--beside=pixels"]));
    for said in [
        "00003.png of videos",
        "size/00002.png: the true mask has 40 x 30 pixels",
        "short: it has 2 of at least 3 frames",
        "nothing/00000.png: it shows no object",
        "there is no mask",
        "two_2",
        "J (two)",
    ] {
        assert!(table.contains(said), "{said} in {table}");
    }
    assert!(!table.contains("gap_1"), "{table}");

    let lists = root.join("ImageSets/2017");
    fs::create_dir_all(&lists).expect("a folder");
    fs::write(lists.join("val.txt"), "one\nnone\n").expect("a list");
    let found = succeed(video(&root, &run, &[]));
    assert!(found.contains("none: it has no frames"), "{found}");
    assert!(
        found.contains("one_1") && !found.contains("two_1"),
        "{found}"
    );
    let message = fail(video(&root, &run, &["--split=train"]));
    assert!(message.contains("there are val"), "{message}");
    let message = fail(video(&root, &run, &["--sequence=two"]));
    assert!(message.contains("no sequence two"), "{message}");
    let message = fail(video(Path::new("builtin:val"), &run, &[]));
    assert!(message.contains("no set of videos"), "{message}");
}

#[test]
fn objects_are_tracked_through_any_frames() {
    let folder = folder();
    let frames = folder.path().join("frames");
    for frame in 0..FRAMES {
        write_frame(&frames.join(format!("f{frame}.png")), frame);
    }
    fs::write(frames.join("f2.png"), "no picture").expect("written");
    let mask = folder.path().join("first.png");
    write_mask(&mask, 0, |label| label);

    let track = |mask: &Path| {
        let mut command = ibot();
        command.arg("track").arg(&frames).arg("--mask").arg(mask);
        command.args(["--model=pixels", "--device=cpu", "--short-side=128"]);
        command.arg("--out").arg(folder.path().join("out"));
        command
    };
    let said = succeed(track(&mask));
    assert!(said.contains("f2.png"), "{said}");
    let out = folder.path().join("out");
    let numbers = fs::read_to_string(out.join("track.json")).expect("numbers");
    let numbers: Value = serde_json::from_str(&numbers).expect("JSON");
    let listed = numbers["frames"].as_array().expect("frames");
    assert_eq!(listed.len(), 5);
    for frame in listed {
        for pixels in frame["pixels"].as_array().expect("two objects") {
            let pixels = pixels.as_u64().expect("a number");
            assert!((250..1000).contains(&pixels), "{numbers}");
        }
    }
    for file in [
        "masks/f0.png",
        "masks/f5.png",
        "overlays/f5.jpg",
        "track.png",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert!(!out.join("masks/f2.png").exists());

    let colors = frames.join("f0.png");
    let message = fail(track(&colors));
    assert!(message.contains("it holds colors"), "{message}");
    let empty = folder.path().join("empty.png");
    write_mask(&empty, 0, |_| 0);
    let message = fail(track(&empty));
    assert!(message.contains("it shows no object"), "{message}");
    GrayImage::new(3, 3).save(&empty).expect("a mask");
    let message = fail(track(&empty));
    assert!(message.contains("3 x 3 pixels"), "{message}");
}
