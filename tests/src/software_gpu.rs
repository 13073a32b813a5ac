//! Tests on a software GPU.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The software GPU takes one minute beside other work.
const PATIENCE: Duration = Duration::from_secs(120);

/// Autotune on a software GPU measures the compiler of its driver: one sample of few candidates
/// will do. More of them hold wgpu's lock on OpenGL for longer than the 6 s that it waits.
const FEW_CANDIDATES: &str = "[autotune]\nlevel = \"minimal\"\n\
                              [autotune.bench]\nmin_samples = 1\nmax_samples = 1\n";

/// Runs the ignored test `name` of this program in a process of its own, as the driver is a
/// compiler that may hang, and as burn reads its settings once a process.
///
/// OpenGL only: Mesa 22.3's Vulkan crashes on burn's SPIR-V.
pub fn run_alone_on_a_software_gpu(name: &str) {
    let this = std::env::current_exe().expect("the test's own program");
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("cubecl.toml"), FEW_CANDIDATES).expect("writable");
    let mut child = Command::new(&this)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .current_dir(folder.path())
        .spawn()
        .expect("the test's own program starts");

    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("a child to wait for") {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill().expect("a child to end");
                break child.wait().expect("a child to wait for");
            }
            None => sleep(Duration::from_millis(200)),
        }
    };
    assert!(
        status.success(),
        "the software GPU gave other numbers, crashed or took longer than {PATIENCE:?}: {status}"
    );
}
