//! One file read to its end, and what is promised of every file.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ibot_core::weights::pth::{Pth, PthError};

use crate::support::memory;

/// Bytes of memory for each byte of the file: while it is parsed, and with all tensors listed and
/// read.
const PARSE_LIMIT: usize = 96;
const TOTAL_LIMIT: usize = 160;
/// Beyond that, whatever the file's size: mostly messages and the first growth of vectors.
pub const CONSTANT: usize = 16 << 10;

/// What a file made of it.
#[derive(Debug, Default)]
pub struct Seen {
    pub error: Option<PthError>,
    /// Errors of sections and tensors.
    pub refused: Vec<PthError>,
    pub sections: usize,
    pub tensors: usize,
    pub values: usize,
    /// Most memory for each byte of the file.
    pub parse_ratio: f64,
    pub total_ratio: f64,
}

/// Reads all there is in a file and asserts what the module promises.
pub fn read(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut parse_peak = 0;
    let ((), total_peak) = memory::peak(|| {
        let (parsed, peak) = memory::peak(|| Pth::parse(bytes));
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
pub fn run(name: &str, bytes: &[u8]) -> Seen {
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
