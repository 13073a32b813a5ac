//! Instructions of two units of loading, counted by valgrind: a count does not depend on what else
//! the machine does, so a unit that got slower is seen without a clock.

use std::hint::black_box;
use std::process::Command;

use ibot_core::image::augment::{AugmentConfig, Role, ViewParams};
use ibot_core::pretrain::masking::MaskConfig;
use ibot_core::rng::{Purpose, stream};
use ibot_core::scenes::{Split, scene};

/// How much above the known count a unit may rise.
const TOLERANCE: f64 = 1.05;
/// How often a unit runs, in the variable that the counted process reads.
const REPEATS: &str = "IBOT_REPEATS";

/// A block mask of a 14 x 14 grid.
const MASK: f64 = 6267.0;
/// Color jitter of a 224-pixel view.
const JITTER: f64 = 7_993_489.0;

#[test]
fn drawing_a_mask_takes_as_many_instructions_as_ever() {
    check("draw_masks", 200, MASK);
}

#[test]
fn jittering_a_view_takes_as_many_instructions_as_ever() {
    check("jitter_views", 4, JITTER);
}

fn check(unit: &str, repeats: usize, known: f64) {
    let (Some(start), Some(all)) = (count(unit, 0), count(unit, repeats)) else {
        eprintln!("skipped: valgrind is not installed (on Debian: apt install valgrind)");
        return;
    };
    let each = (all - start) / repeats as f64;
    eprintln!("{unit}: {each:.0} instructions");
    assert!(
        each > 0.5 * known,
        "{unit}: {each:.0} instructions of {known:.0}: does it still do its work? If so, note the new count"
    );
    assert!(
        each < TOLERANCE * known,
        "{unit}: {each:.0} instructions, it was {known:.0}"
    );
}

/// Instructions of a process that runs a unit so often; `None` without valgrind.
fn count(unit: &str, repeats: usize) -> Option<f64> {
    let this = std::env::current_exe().expect("the test's own program");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this);
    command
        .args(["--exact", unit, "--ignored", "--test-threads=1"])
        .env(REPEATS, repeats.to_string());
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let collected = text
        .lines()
        .find_map(|line| line.split("Collected :").nth(1));
    Some(
        collected
            .and_then(|count| count.trim().parse().ok())
            .expect("callgrind ends with its count"),
    )
}

fn repeats() -> usize {
    std::env::var(REPEATS)
        .ok()
        .and_then(|repeats| repeats.parse().ok())
        .unwrap_or(1)
}

#[test]
#[ignore = "counted in a process of its own"]
fn draw_masks() {
    let (config, mut rng) = (MaskConfig::default(), stream(7, Purpose::Mask, 0, 0));
    let masked: usize = (0..repeats())
        .map(|_| config.draw((14, 14), &mut rng).count())
        .sum();
    assert!(masked <= 196 * repeats());
}

#[test]
#[ignore = "counted in a process of its own"]
fn jitter_views() {
    let image = scene(Split::Train, 0, 224).image;
    let config = AugmentConfig::default();
    let drawn = |n| {
        ViewParams::draw(
            224,
            224,
            Role::FirstGlobal,
            [1.0, 1.0],
            &config,
            &mut stream(n, Purpose::Augment, 0, 0),
        )
    };
    let jittered = (0..)
        .map(drawn)
        .find(|view| !view.jitter.is_empty())
        .expect("four of five views have jitter");
    let full = ViewParams {
        grayscale: false,
        blur: None,
        solarize: false,
        ..jittered
    };
    let plain = ViewParams {
        jitter: Vec::new(),
        ..full.clone()
    };
    // What surrounds the jitter is there as often without it, so that only the jitter counts.
    for n in 0..4 {
        let view = if n < repeats() { &full } else { &plain };
        black_box(view.apply(&image, 224));
    }
}
