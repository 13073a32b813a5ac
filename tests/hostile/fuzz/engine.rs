//! Trying one case after the other, and what is measured meanwhile.

use std::any::Any;
use std::collections::BTreeMap;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ibot_core::rng::Rng;
use rand::SeedableRng as _;

use crate::support::memory;

/// How long one input may take. The machine may be busy, and the largest image within the limits
/// takes seconds.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Panics of other crates, by place. `decode` turns them into errors, so that no test would see
/// them.
static FOREIGN_PANICS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is no number"))
    })
}

/// Gives cases to `accepts`, which builds an input from the random numbers, asserts what must hold,
/// and says whether it was accepted. No input may take more than `memory_limit` bytes.
pub fn run(name: &str, memory_limit: usize, mut accepts: impl FnMut(&mut Rng) -> bool) {
    note_foreign_panics();
    let only = number("IBOT_FUZZ_CASE");
    let time = Duration::from_secs(number("IBOT_FUZZ_SECONDS").unwrap_or(3));
    let trace = env::var_os("IBOT_FUZZ_TRACE").is_some();
    let (current, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut tried, mut accepted) = (0u64, 0u64);
    let (mut most, mut longest) = ((0, 0), (Duration::ZERO, 0));
    thread::scope(|scope| {
        let watch = scope.spawn(|| abort_when_stuck(name, &current, &done));
        let start = Instant::now();
        let failed = (only.unwrap_or(0)..).find_map(|case| {
            if tried > 0 && (only.is_some() || start.elapsed() > time) {
                return Some(Ok(()));
            }
            if trace {
                eprintln!("{name}: case {case}");
            }
            current.store(case, Ordering::Relaxed);
            let begin = Instant::now();
            let (outcome, peak) = memory::peak(|| {
                catch_unwind(AssertUnwindSafe(|| accepts(&mut Rng::seed_from_u64(case))))
            });
            (most, longest) = (most.max((peak, case)), longest.max((begin.elapsed(), case)));
            tried += 1;
            match outcome {
                Ok(whether) => accepted += u64::from(whether),
                Err(panic) => return Some(Err((case, words(&*panic)))),
            }
            (peak > memory_limit)
                .then(|| Err((case, format!("took {peak} bytes of {memory_limit}"))))
        });
        done.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        if let Some(Err((case, problem))) = failed {
            panic!("{name}, case {case}: {problem}; IBOT_FUZZ_CASE={case} repeats it");
        }
    });
    println!(
        "{name}: {tried} inputs tried, {accepted} accepted, {} refused",
        tried - accepted
    );
    println!(
        "  most memory {:.1} MiB (case {}), longest {:.1?} (case {})",
        mib(most.0),
        most.1,
        longest.0,
        longest.1
    );
    let panics = FOREIGN_PANICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    panics
        .iter()
        .for_each(|(place, times)| println!("  {times} panics of {place}"));
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// A thread cannot be stopped from outside, so a case that never ends must end the process to be
/// known.
fn abort_when_stuck(name: &str, current: &AtomicU64, done: &AtomicBool) {
    let mut since = (u64::MAX, Instant::now());
    while !done.load(Ordering::Relaxed) {
        let case = current.load(Ordering::Relaxed);
        if case != since.0 {
            since = (case, Instant::now());
        }
        if since.1.elapsed() > TIME_LIMIT {
            eprintln!("{name}: case {case} takes longer than {TIME_LIMIT:?}");
            std::process::abort();
        }
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// Counts panics of other crates by place instead of printing each.
fn note_foreign_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| match panic.location() {
            Some(place) if place.file().contains("/registry/") => {
                let place = place
                    .file()
                    .rsplit("/registry/")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
                    + ":"
                    + &place.line().to_string();
                *FOREIGN_PANICS
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .entry(place)
                    .or_default() += 1;
            }
            _ => usual(panic),
        }));
    });
}
