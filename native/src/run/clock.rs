//! When a run saves and when its time is up.

use std::time::{Duration, Instant};

use crate::settings::RunSettings;

/// The share of the time since the last checkpoint from which writing one counts as slow.
const SLOW_SHARE: f64 = 0.1;
// A write that takes less time is never slow.
const FAST: Duration = Duration::from_secs(5);

pub struct Clock {
    start: Instant,
    /// `run.max_hours`.
    limit: Option<Duration>,
    /// `run.save_every`.
    save_every: Option<Duration>,
    last_save: Option<Instant>,
    slowest_save: Duration,
    /// The evaluations and saving after a step included.
    slowest_step: Duration,
    warned: bool,
}

impl Clock {
    pub fn new(start: Instant, run: &RunSettings) -> Self {
        Self {
            start,
            limit: seconds(3600.0 * run.max_hours),
            save_every: seconds(60.0 * run.save_every),
            last_save: None,
            slowest_save: Duration::ZERO,
            slowest_step: Duration::ZERO,
            warned: false,
        }
    }

    pub fn step(&mut self, took: Duration) {
        self.slowest_step = self.slowest_step.max(took);
    }

    /// Notes a checkpoint written at `now`; a warning the first time that the disk is slow.
    pub fn saved(&mut self, now: Instant, took: Duration) -> Option<String> {
        self.slowest_save = self.slowest_save.max(took);

        // The first of a run is written before its first step: there is no time yet to compare it
        // with.
        let last = self.last_save.replace(now)?;
        let share = took.as_secs_f64() / now.duration_since(last).as_secs_f64().max(1e-9);
        if self.warned || took < FAST || share < SLOW_SHARE {
            return None;
        }

        self.warned = true;
        Some(format!(
            "writing the checkpoint took {:.0} s, {:.0} % of the time since the last one: think of a faster disk for \
             --out, or a larger run.save_every",
            took.as_secs_f64(),
            100.0 * share.min(1.0)
        ))
    }

    /// Whether a kill would lose more time than `run.save_every`.
    pub fn save_is_due(&self, now: Instant) -> bool {
        self.save_every
            .is_some_and(|every| now.duration_since(self.last_save.unwrap_or(self.start)) >= every)
    }

    /// Whether another step, and saving after it, might not end before the limit.
    pub fn time_is_up(&self, now: Instant) -> bool {
        // Both may take as long as the slowest so far, and saving twice as long: a disk that was
        // fast can be busy.
        let margin = self.slowest_step + 2 * self.slowest_save;
        self.limit
            .is_some_and(|limit| now.duration_since(self.start) + margin >= limit)
    }
}

fn seconds(seconds: f64) -> Option<Duration> {
    // 0 switches a setting off.
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(max_hours: f64, save_every: f64) -> (Clock, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let run = RunSettings {
            max_hours,
            save_every,
            ..RunSettings::default()
        };
        (Clock::new(start, &run), move |seconds| {
            start + Duration::from_secs(seconds)
        })
    }

    #[test]
    fn the_limit_leaves_time_for_a_step_and_for_saving() {
        let (mut clock, at) = clock(1.0, 0.0);
        assert!(!clock.time_is_up(at(3599)) && clock.time_is_up(at(3600)));
        clock.step(Duration::from_secs(10));
        clock.step(Duration::from_secs(4));
        clock.saved(at(100), Duration::from_secs(3));
        assert!(!clock.time_is_up(at(3583)) && clock.time_is_up(at(3584)));
        assert!(!clock.save_is_due(at(3000)), "switched off");
    }

    #[test]
    fn minutes_after_the_last_checkpoint_another_is_due() {
        let (mut clock, at) = clock(0.0, 30.0);
        assert!(!clock.save_is_due(at(1799)) && clock.save_is_due(at(1800)));
        clock.saved(at(1000), Duration::from_secs(1));
        assert!(!clock.save_is_due(at(2799)) && clock.save_is_due(at(2800)));
        assert!(!clock.time_is_up(at(1_000_000)), "no limit");
    }

    #[test]
    fn a_slow_disk_is_named_once() {
        let (mut clock, at) = clock(0.0, 30.0);
        assert_eq!(
            clock.saved(at(9), Duration::from_secs(8)),
            None,
            "before the first step"
        );
        assert_eq!(
            clock.saved(at(20), Duration::from_secs(4)),
            None,
            "fast enough"
        );
        assert_eq!(
            clock.saved(at(1000), Duration::from_secs(20)),
            None,
            "seldom enough"
        );
        let warning = clock
            .saved(at(1100), Duration::from_secs(25))
            .expect("slow");
        assert!(
            warning.contains("25 s, 25 %") && warning.contains("run.save_every"),
            "{warning}"
        );
        assert_eq!(
            clock.saved(at(1200), Duration::from_secs(50)),
            None,
            "said once"
        );
    }
}
