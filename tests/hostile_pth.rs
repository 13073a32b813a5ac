//! Checkpoints that lie: no input makes a panic, a deep recursion, or an allocation beyond a
//! multiple of the file.
//!
//! The mutations are deterministic. `PTH_CASES` and `PTH_SEED` in the environment run more and
//! others of them.

#![cfg(not(target_family = "wasm"))]

#[path = "hostile_pth/claims.rs"]
mod claims;
mod count;
#[path = "hostile_pth/make.rs"]
mod make;
mod mutate;
#[path = "hostile_pth/structures.rs"]
mod structures;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ibot_core::weights::pth::{Pth, PthError};
use make::{unzip, zip};
use mutate::{Damage, Random, mutate};

/// Bytes of memory for each byte of the file: while it is parsed, and with all tensors listed and
/// read.
const PARSE_LIMIT: usize = 96;
const TOTAL_LIMIT: usize = 160;
/// Beyond that, whatever the file's size: mostly messages and the first growth of vectors.
const CONSTANT: usize = 16 << 10;

/// All that a pickle may consist of.
const PICKLE: Damage = Damage {
    alphabet: b"(.012BCGJKMNQRTUX]abcehjqrstu})\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\
                \x92\x93\x94\x95\x96",
    big_endian: false,
};

/// What a file made of it.
#[derive(Debug, Default)]
struct Seen {
    error: Option<PthError>,
    /// Errors of sections and tensors.
    refused: Vec<PthError>,
    sections: usize,
    tensors: usize,
    values: usize,
    /// Most memory for each byte of the file.
    parse_ratio: f64,
    total_ratio: f64,
}

/// Reads all there is in a file and asserts what the module promises.
fn read(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut parse_peak = 0;
    let ((), total_peak) = count::peak(|| {
        let (parsed, peak) = count::peak(|| Pth::parse(bytes));
        parse_peak = peak;
        match parsed {
            Ok(pth) => read_all(&pth, bytes.len(), &mut seen),
            Err(error) => seen.error = Some(error),
        }
    });
    // The inner measurement has replaced the outer peak, which is the larger of both.
    let total_peak = total_peak.max(parse_peak);
    let ratio = |peak: usize| peak.saturating_sub(CONSTANT) as f64 / bytes.len().max(1) as f64;
    (seen.parse_ratio, seen.total_ratio) = (ratio(parse_peak), ratio(total_peak));
    assert!(
        parse_peak <= PARSE_LIMIT * bytes.len() + CONSTANT,
        "{parse_peak} to parse {}",
        bytes.len()
    );
    assert!(
        total_peak <= TOTAL_LIMIT * bytes.len() + CONSTANT,
        "{total_peak} to read {}",
        bytes.len()
    );
    seen
}

fn read_all(pth: &Pth, file_size: usize, seen: &mut Seen) {
    let sections = pth.sections();
    seen.sections = sections.len();
    for path in [
        &["args", "arch"][..],
        &["epoch"],
        &["a", "a", "a"],
        &["settings", "nested", "lr"],
    ] {
        pth.scalar(path);
    }
    // Errors are kept for the tests of single files; a few are enough.
    let keep = |refused: &mut Vec<PthError>, error| {
        if refused.len() < 4 {
            refused.push(error);
        }
    };
    for section in sections.into_iter().take(8) {
        let tensors = match pth.tensors(section) {
            Ok(tensors) => tensors,
            Err(error) => {
                keep(&mut seen.refused, error);
                continue;
            }
        };
        seen.tensors += tensors.len();
        let mut views = BTreeSet::new();
        let mut stored = 0;
        let mut all = Vec::new();
        for tensor in tensors.iter().filter(|tensor| views.insert(&tensor.view)) {
            match pth.values(tensor) {
                Ok(values) => {
                    assert_eq!(
                        values.len(),
                        tensor.view.shape().iter().product::<usize>(),
                        "{tensor:?}"
                    );
                    stored += values.len() * tensor.view.dtype().size();
                    seen.values += values.len();
                    all.push(values);
                }
                Err(error) => keep(&mut seen.refused, error),
            }
        }
        assert!(
            stored <= 2 * file_size,
            "{stored} bytes from a file of {file_size}"
        );
    }
}

/// Runs one file by hand, which must be read fast; prints what it took.
fn run(name: &str, bytes: &[u8]) -> Seen {
    let start = Instant::now();
    let seen = read(bytes);
    let took = start.elapsed();
    let outcome = seen
        .error
        .as_ref()
        .or(seen.refused.first())
        .map_or("read".to_owned(), ToString::to_string);
    let (parse, total) = (seen.parse_ratio, seen.total_ratio);
    println!(
        "{name:28} {:>9} bytes {took:>9.1?} memory {parse:>5.1} {total:>5.1}: {outcome}",
        bytes.len()
    );
    assert!(took < Duration::from_secs(20), "{name} took {took:?}");
    seen
}

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

/// The bytes of 16 floats.
const FLOATS: &[u8] = &[0; 64];

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
        let random = &mut Random(seed << 32 ^ case);
        let bytes = if random.below(2) == 0 {
            // The archive is sound, its pickle is not.
            let mut entries = archives[random.below(archives.len())].clone();
            let pickle = entries
                .iter_mut()
                .find(|(name, _)| name.ends_with("data.pkl"))
                .expect("a checkpoint");
            mutate(
                &mut pickle.1,
                0,
                pickles[random.below(pickles.len())],
                &PICKLE,
                random,
            );
            pack(&entries)
        } else {
            let mut bytes = corpus[random.below(corpus.len())].clone();
            // The directory of an archive is at its end.
            let from = if random.below(2) == 0 {
                bytes.len() * 3 / 4
            } else {
                0
            };
            mutate(
                &mut bytes,
                from,
                &corpus[random.below(corpus.len())],
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
