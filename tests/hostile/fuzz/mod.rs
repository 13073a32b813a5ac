//! Damaged tar archives, IDX files, labels of sets, settings, annotations and images: an error or a whole
//! result, in bounded time and memory.
//!
//! Case *n* of a target is the same file in every run. `IBOT_FUZZ_SECONDS=600` tries cases for that
//! long, `IBOT_FUZZ_CASE=n` tries one, `IBOT_FUZZ_TRACE=1` prints the number of each before it is
//! tried.

mod annotations;
mod corpus;
mod engine;
mod published;
mod repair;
mod settings;

use std::fs;
use std::path::Path;

use ibot_core::rng::Rng;
use ibot_native::data::{Dataset, DecodeError, LoadCause, MAX_BYTES, MAX_SIDE, decode};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use crate::support::damage::{Damage, mutate};
use corpus::Image;

/// Most memory that an image may take: twice the limit for what its decoder keeps (a progressive
/// JPEG's coefficients take two bytes a sample), once for the RGB that is handed over.
const IMAGE_LIMIT: usize = 3 * MAX_BYTES as usize;

const TAR: Damage = Damage {
    alphabet: b"\0 /.0123457LKSVgxustar-a",
    big_endian: true,
};
const IDX: Damage = Damage {
    alphabet: b"\0\x01\x02\x03\x08\x0d\xff",
    big_endian: true,
};

#[test]
fn images() {
    let corpus = corpus::images();
    let mut by_format = vec![(0, 0); corpus.len()];
    engine::run("images", IMAGE_LIMIT, |random| {
        let which = random.random_range(..corpus.len());
        let Image { bytes, damage, .. } = &corpus[which];
        let mut bytes = bytes.clone();
        // Headers are at the start, and where most decisions fall.
        let start = if random.random_ratio(1, 3) {
            64
        } else {
            usize::MAX
        };
        let rest = bytes.split_off(bytes.len().min(start));
        mutate(
            &mut bytes,
            0,
            &corpus[random.random_range(..corpus.len())].bytes,
            damage,
            random,
        );
        bytes.extend(rest);
        if random.random_ratio(3, 4) {
            repair::png(&mut bytes);
        }
        by_format[which].0 += 1;
        match decode(&bytes) {
            Ok(image) => {
                by_format[which].1 += 1;
                assert!(image.width().max(image.height()) <= MAX_SIDE as usize);
                assert_eq!(image.pixels().len(), image.width() * image.height() * 3);
                true
            }
            Err(error) => {
                judge(&error);
                false
            }
        }
    });
    for (image, (tried, decoded)) in corpus.iter().zip(by_format) {
        println!("  {:24} {tried:>9} tried, {decoded:>9} decoded", image.name);
    }
}

/// What a person reads names the problem and what to do.
fn judge(error: &DecodeError) {
    let message = error.to_string();
    assert!(message.contains("remove it"), "{message}");
}

/// Opens a dataset and loads its first images; whether it could be opened.
fn open(path: &Path) -> bool {
    let spec = path.display().to_string();
    let data = match Dataset::open(&spec) {
        Ok(data) => data,
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(&spec), "{message} does not name {spec}");
            return false;
        }
    };
    assert!(!data.is_empty());
    for index in 0..data.len().min(6) {
        let name = data.name(index).into_owned();
        assert!(
            !name.starts_with('/') && !name.split('/').any(|part| part == ".."),
            "{name} climbs"
        );
        assert!(
            data.label(index)
                .is_none_or(|label| label < data.classes().len()),
            "the label of {name}"
        );
        match data.load(index) {
            Ok(image) => assert_eq!(image.pixels().len(), image.width() * image.height() * 3),
            Err(error) => {
                assert!(
                    error.to_string().contains(&spec),
                    "{error} does not name {spec}"
                );
                if let LoadCause::Decode(error) = &error.cause {
                    judge(error);
                }
            }
        }
    }
    true
}

#[test]
fn tar_archives() {
    let corpus = corpus::archives();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("images.tar");
    engine::run("tar archives", IMAGE_LIMIT, |random| {
        let mut bytes = corpus[random.random_range(..corpus.len())].clone();
        let other = &corpus[random.random_range(..corpus.len())];
        if random.random_ratio(1, 4) {
            mutate(&mut bytes, 0, other, &TAR, random);
        } else {
            damage_headers(&mut bytes, other, random);
        }
        if random.random_ratio(3, 4) {
            repair::tar(&mut bytes);
        }
        fs::write(&path, &bytes).expect("writable");
        open(&path)
    });
}

/// Damages one or two blocks that are headers, keeping the blocks where they are.
fn damage_headers(bytes: &mut [u8], other: &[u8], random: &mut Rng) {
    let headers: Vec<usize> = repair::tar_headers(bytes).collect();
    for _ in 0..1 + random.random_range(..2_usize) {
        let Some(&at) = headers.choose(random) else {
            return;
        };
        let header = &mut bytes[at..at + 512];
        // Where the name (more often than others), mode, size, checksum, kind, link, mark and
        // prefix begin.
        let from = [0, 0, 100, 124, 148, 156, 157, 257, 345][random.random_range(..9_usize)];
        let mut part = header[from..(from + 12).min(512)].to_vec();
        mutate(&mut part, 0, other, &TAR, random);
        part.resize(12, 0);
        header[from..from + 12].copy_from_slice(&part);
    }
}

#[test]
fn idx_files() {
    let (images, labels) = corpus::idx();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [images_path, labels_path] =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"].map(|name| folder.path().join(name));
    engine::run("IDX files", 64 << 20, |random| {
        let (mut images, mut labels) = (images.clone(), labels.clone());
        let what = random.random_range(..4_usize);
        if what != 0 {
            mutate(&mut images, 0, &labels, &IDX, random);
            if random.random_ratio(1, 2) {
                repair::idx(&mut images);
            }
        }
        if what < 2 {
            mutate(&mut labels, 0, &images, &IDX, random);
        } else if random.random_ratio(1, 2) {
            repair::idx_labels(&mut labels, &images);
        }
        fs::write(&images_path, &images).expect("writable");
        fs::write(&labels_path, &labels).expect("writable");
        open(folder.path())
    });
}

#[test]
fn settings_and_assignments() {
    settings::fuzz();
}

#[test]
fn labels_of_sets() {
    published::fuzz();
}

#[test]
fn annotations_of_images() {
    annotations::fuzz();
}
