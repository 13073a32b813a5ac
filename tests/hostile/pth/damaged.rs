//! Real checkpoints, cut and damaged at random.
//!
//! The mutations are deterministic. `PTH_CASES` and `PTH_SEED` in the environment run more and
//! others of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ibot_core::rng::Rng;
use rand::{RngExt as _, SeedableRng as _};

use super::make::{unzip, zip};
use super::read::{CONSTANT, read};
use crate::support::damage::{Damage, mutate};

/// All that a pickle may consist of.
const PICKLE: Damage = Damage {
    alphabet: b"(.012BCGJKMNQRTUX]abcehjqrstu})\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\
                \x92\x93\x94\x95\x96",
    big_endian: false,
};

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/pth");
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("a committed folder")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension != "safetensors")
        })
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read(&path).expect("a readable file"),
            )
        })
        .collect();
    files.sort();
    assert!(files.len() >= 10);
    files
}

#[test]
fn a_file_or_pickle_cut_anywhere_is_an_error() {
    let mut cuts = 0;
    for (name, bytes) in fixtures() {
        // Protocols 3 and 4 add nothing to 2 and 5; two files are no checkpoints to begin with.
        if name.contains("protocol3") || name.contains("protocol4") || !name.ends_with(".pth") {
            continue;
        }
        let is_archive = bytes.starts_with(b"PK");
        // A cut archive has no directory, wherever it is cut.
        for end in (0..bytes.len()).step_by(if is_archive { 17 } else { 1 }) {
            assert!(read(&bytes[..end]).error.is_some(), "{name} cut at {end}");
            cuts += 1;
        }
        if is_archive {
            let mut entries = unzip(&bytes);
            let whole = entries[0].1.clone();
            for end in 0..whole.len() {
                entries[0].1 = whole[..end].to_vec();
                assert!(
                    read(&pack(&entries)).error.is_some(),
                    "{name}, pickle cut at {end}"
                );
                cuts += 1;
            }
        }
    }
    println!("{cuts} cuts");
}

fn pack(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    zip(&entries)
}

#[test]
fn random_damage_is_survived() {
    let number = |name: &str, default: u64| -> u64 {
        std::env::var(name).map_or(default, |value| {
            value
                .parse()
                .unwrap_or_else(|_| panic!("{name} is a number"))
        })
    };
    let (cases, seed) = (
        number(
            "PTH_CASES",
            if cfg!(debug_assertions) {
                5_000
            } else {
                100_000
            },
        ),
        number("PTH_SEED", 0),
    );
    let corpus: Vec<Vec<u8>> = fixtures().into_iter().map(|(_, bytes)| bytes).collect();
    let archives: Vec<Vec<(String, Vec<u8>)>> = corpus
        .iter()
        .filter(|bytes| bytes.starts_with(b"PK"))
        .map(|bytes| unzip(bytes))
        .collect();
    let pickles: Vec<&Vec<u8>> = archives
        .iter()
        .flatten()
        .filter(|(n, _)| n.ends_with("data.pkl"))
        .map(|e| &e.1)
        .collect();

    let (mut errors, mut loads, mut tensors, mut values) = (0u64, 0u64, 0, 0);
    let (mut parse_ratio, mut total_ratio, mut longest) = (0f64, 0f64, (Duration::ZERO, 0));
    for case in 0..cases {
        let random = &mut Rng::seed_from_u64(seed << 32 ^ case);
        let bytes = if random.random_ratio(1, 2) {
            // The archive is sound, its pickle is not.
            let mut entries = archives[random.random_range(..archives.len())].clone();
            let pickle = entries
                .iter_mut()
                .find(|(name, _)| name.ends_with("data.pkl"))
                .expect("a checkpoint");
            mutate(
                &mut pickle.1,
                0,
                pickles[random.random_range(..pickles.len())],
                &PICKLE,
                random,
            );
            pack(&entries)
        } else {
            let mut bytes = corpus[random.random_range(..corpus.len())].clone();
            // The directory of an archive is at its end.
            let from = if random.random_ratio(1, 2) {
                bytes.len() * 3 / 4
            } else {
                0
            };
            mutate(
                &mut bytes,
                from,
                &corpus[random.random_range(..corpus.len())],
                &PICKLE,
                random,
            );
            bytes
        };
        let start = Instant::now();
        let seen = read(&bytes);
        longest = longest.max((start.elapsed(), case));
        *(if seen.error.is_some() {
            &mut errors
        } else {
            &mut loads
        }) += 1;
        tensors += seen.tensors;
        values += seen.values;
        parse_ratio = parse_ratio.max(seen.parse_ratio);
        total_ratio = total_ratio.max(seen.total_ratio);
    }
    println!(
        "seed {seed}: {cases} cases, {errors} errors, {loads} loads, {tensors} tensors, {values} values"
    );
    println!(
        "memory beyond {CONSTANT} bytes, for each of the file: parsing {parse_ratio:.2}, all {total_ratio:.2}"
    );
    println!("longest {:.1?}, case {}", longest.0, longest.1);
    // Damage must reach the tensors, not only the outermost checks.
    assert!(
        loads > cases / 20 && tensors > loads as usize,
        "{loads} loads with {tensors} tensors"
    );
}
