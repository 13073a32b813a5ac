//! Sets as they are published, and lists, with damaged labels: what is opened has only classes that
//! there are.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use super::corpus::picture;
use super::{engine, open};
use crate::support::damage::{Damage, mutate};
use crate::support::files::encode;

/// A MAT file holds its numbers eight times as large.
const LIMIT: usize = 400 << 20;

const BYTES: Damage = Damage {
    alphabet: b"\0\x01\x02\x04\x05\x06\x07\x08\x09\x0e\x0f\x80(]}KUuet./01\xff",
    big_endian: false,
};
const TEXT: Damage = Damage {
    alphabet: b"[]{}\",:;-+.e0123456789 #\t\n\r\\\xff",
    big_endian: false,
};

/// What is opened, and the files that are damaged.
struct LabelledSet {
    place: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
    damage: &'static Damage,
}

pub fn fuzz() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sets = sets(folder.path());
    engine::run("labelled sets", LIMIT, |random| {
        let set = sets.choose(random).expect("sets");
        let (file, whole) = set.files.choose(random).expect("files");
        let (_, other) = set.files.choose(random).expect("files");
        let mut bytes = whole.clone();
        for _ in 0..1 + random.random_range(..2_usize) {
            mutate(&mut bytes, 0, other, set.damage, random);
        }

        fs::write(file, &bytes).expect("writable");
        let is_open = open(&set.place);
        fs::write(file, whole).expect("writable");
        is_open
    });
}

fn sets(folder: &Path) -> Vec<LabelledSet> {
    let flowers = (1..=8).map(|n| format!("jpg/image_{n:05}.jpg"));
    let cars = (1..=6).map(|n| format!("car_ims/{n:06}.jpg"));
    let plants = [
        "train_val2018/Aves/3/train0.jpg",
        "train_val2018/Mammalia/1/train1.jpg",
        "train_val2018/Aves/3/train2.jpg",
        "train_val2018/Plantae/4/train3.jpg",
        "train_val2018/Aves/0/train4.jpg",
        "train_val2018/Mammalia/2/train5.jpg",
        "train_val2018/Mammalia/1/train6.jpg",
    ];
    let mut sets = vec![
        set(folder, "flowers", flowers, &BYTES),
        set(folder, "cars", cars, &BYTES),
        set(folder, "cifar-10-batches-py", [], &BYTES),
        set(folder, "cifar-100-python", [], &BYTES),
        set(folder, "inaturalist", plants.map(str::to_owned), &TEXT),
    ];

    let names = ["a.png", "b,c.png", "d.png"];
    add_images(&folder.join("list"), names.map(str::to_owned));
    let list = folder.join("list/list.csv");
    let text = "path,label\na.png,cat\n\"b,c.png\",\"red \"\"fox\"\"\"\n# note\nd.png,cat\n";
    sets.push(LabelledSet {
        place: list.clone(),
        files: vec![(list, text.as_bytes().to_vec())],
        damage: &TEXT,
    });

    for set in &sets {
        for (file, bytes) in &set.files {
            fs::write(file, bytes).expect("writable");
        }
        assert!(open(&set.place), "{} is sound", set.place.display());
    }
    sets
}

/// The files of a folder of fixtures, with images of these names.
fn set(
    folder: &Path,
    fixture: &str,
    images: impl IntoIterator<Item = String>,
    damage: &'static Damage,
) -> LabelledSet {
    let place = folder.join(fixture);
    add_images(&place, images);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/datasets");
    let mut files = Vec::new();
    for file in fs::read_dir(fixtures.join(fixture)).expect("a folder of fixtures") {
        let file = file.expect("a file");
        let bytes = fs::read(file.path()).expect("readable");
        files.push((place.join(file.file_name()), bytes));
    }
    // The order of a folder is the disk's, and cases must be the same everywhere.
    files.sort();
    LabelledSet {
        place,
        files,
        damage,
    }
}

fn add_images(place: &Path, names: impl IntoIterator<Item = String>) {
    fs::create_dir_all(place).expect("a folder");
    let png = encode(picture(3, 2), ImageFormat::Png);
    for name in names {
        let path = place.join(name);
        fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
        fs::write(path, &png).expect("writable");
    }
}
