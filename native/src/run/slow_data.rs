//! Notices that the device mostly waits for images.

use super::means::Means;

/// Share of the time waiting for images that is worth a warning.
const SLOW: f64 = 0.5;
// In an epoch shorter than this the wait for the first batch counts too much.
const ENOUGH_STEPS: usize = 100;

#[derive(Default)]
pub struct SlowData {
    warned: bool,
}

impl SlowData {
    /// A warning the first time that the device mostly waited during an epoch.
    pub fn inspect(&mut self, epoch: &Means) -> Option<String> {
        if self.warned || epoch.steps < ENOUGH_STEPS || epoch.waiting < SLOW {
            return None;
        }
        self.warned = true;
        Some(format!(
            "the device waited for images during {:.0} % of epoch {}: the disk or decoding is too slow. Think of a \
             faster disk, smaller image files, or more run.loader_threads",
            100.0 * epoch.waiting,
            epoch.epoch + 1
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_data_is_named_once() {
        let mut slow = SlowData::default();
        let means = |waiting, steps| Means {
            waiting,
            steps,
            ..Means::default()
        };
        assert_eq!(slow.inspect(&means(0.4, 100)), None);
        assert_eq!(slow.inspect(&means(0.8, 10)), None, "too short to tell");
        let warning = slow.inspect(&means(0.8, 100)).expect("slow");
        assert!(warning.contains("80 % of epoch 1"), "{warning}");
        assert_eq!(slow.inspect(&means(0.8, 100)), None, "said once");
    }
}
