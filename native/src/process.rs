//! Memory and processor time of this process, on Linux.

use std::fs;
use std::time::Duration;

/// Resident memory now, in MiB.
pub fn resident_mib() -> Option<u64> {
    status("VmRSS:").map(|kib| kib / 1024)
}

/// The largest resident memory so far, in MiB.
pub fn peak_mib() -> Option<u64> {
    status("VmHWM:").map(|kib| kib / 1024)
}

/// A field of `/proc/self/status`, in KiB.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// Processor time of all threads so far, in user and system mode, to a hundredth of a second.
pub fn processor_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, a name in brackets, may hold spaces; user and system time are fields 14 and
    // 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().ok());
    // Linux counts in hundredths of a second.
    ticks
        .sum::<Option<u64>>()
        .map(|ticks| Duration::from_millis(10 * ticks))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_peak_is_at_least_what_is_resident() {
        let (now, peak) = (
            resident_mib().expect("Linux tells"),
            peak_mib().expect("Linux tells"),
        );
        assert!(now > 0 && peak >= now, "{now} MiB, peak {peak} MiB");
    }

    #[test]
    fn work_takes_processor_time() {
        let start = (Instant::now(), processor_time().expect("Linux tells"));
        while processor_time().expect("Linux tells") < start.1 + Duration::from_millis(50) {
            assert!(
                start.0.elapsed() < Duration::from_secs(60),
                "none is counted"
            );
        }
    }
}
