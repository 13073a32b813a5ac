//! Means over steps: what a line of metrics holds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::report::Report;
use crate::process;

/// Means over the steps up to `step`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Means {
    pub step: usize,
    /// Counted from 0.
    pub epoch: usize,
    pub steps: usize,
    pub skipped_steps: usize,
    pub images_per_second: f64,
    /// Share of the time in which the device waited for images.
    #[serde(default)]
    pub waiting: f64,
    /// Resident memory of the process, in MiB.
    pub memory_mib: Option<u64>,
    /// What the learner reports, by name; `null` where a value is not finite.
    #[serde(flatten)]
    pub values: BTreeMap<String, Option<f64>>,
}

impl Means {
    /// A value of the learner, if it has that name and is finite.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied().flatten()
    }
}

/// Steps collected for a mean.
pub struct Window {
    start: Instant,
    steps: usize,
    skipped: usize,
    images: usize,
    waited: Duration,
    loss: f64,
    sums: BTreeMap<&'static str, f64>,
    /// The last values of schedules.
    scheduled: BTreeMap<&'static str, f64>,
    /// Which elements of a set were met, by the name of their share.
    met: BTreeMap<&'static str, Vec<bool>>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            steps: 0,
            skipped: 0,
            images: 0,
            waited: Duration::ZERO,
            loss: 0.0,
            sums: BTreeMap::new(),
            scheduled: BTreeMap::new(),
            met: BTreeMap::new(),
        }
    }
}

impl Window {
    /// Adds a step of `images` images that were waited for so long.
    pub fn add(&mut self, report: &Report, images: usize, waited: Duration) {
        self.steps += 1;
        self.skipped += usize::from(report.not_finite.is_some());
        self.images += images;
        self.waited += waited;

        self.loss += report.loss;
        for (name, value) in &report.measured {
            *self.sums.entry(name).or_default() += value;
        }
        self.scheduled.extend(report.scheduled.iter().copied());

        if let Some(coverage) = &report.coverage {
            let met = self.met.entry(coverage.name).or_default();
            met.resize(coverage.size, false);
            for element in &coverage.met {
                if let Some(met) = met.get_mut(*element as usize) {
                    *met = true;
                }
            }
        }
    }

    /// Leaves out a pause that is no part of training.
    pub fn pause(&mut self, pause: Duration) {
        self.start += pause;
    }

    /// The means after `step` steps, in epoch `epoch`; the window is then empty.
    pub fn take(&mut self, step: usize, epoch: usize) -> Means {
        let window = std::mem::take(self);
        let steps = window.steps.max(1) as f64;
        let seconds = window.start.elapsed().as_secs_f64().max(1e-9);

        let mut named = window.scheduled;
        named.insert("loss", window.loss / steps);
        for (name, sum) in window.sums {
            named.insert(name, sum / steps);
        }
        for (name, met) in window.met {
            let count = met.iter().filter(|met| **met).count();
            named.insert(name, count as f64 / met.len().max(1) as f64);
        }

        // JSON has no numbers that are not finite.
        let values = named
            .into_iter()
            .map(|(name, value)| {
                (
                    name.to_owned(),
                    Some(value).filter(|value| value.is_finite()),
                )
            })
            .collect();

        Means {
            step,
            epoch,
            steps: window.steps,
            skipped_steps: window.skipped,
            images_per_second: window.images as f64 / seconds,
            waiting: (window.waited.as_secs_f64() / seconds).min(1.0),
            memory_mib: process::resident_mib(),
            values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Coverage;
    use super::*;

    #[test]
    fn a_window_averages_what_is_measured_and_keeps_the_last_of_schedules() {
        let report = |loss, lr, met: &[u32]| Report {
            loss,
            measured: vec![("cls", 2.0 * loss)],
            scheduled: vec![("lr", lr)],
            coverage: Some(Coverage {
                name: "usage",
                met: met.to_vec(),
                size: 8,
            }),
            not_finite: None,
        };
        let mut window = Window::default();
        window.add(&report(1.0, 0.1, &[0, 3]), 4, Duration::ZERO);
        window.add(&report(2.0, 0.2, &[3, 7]), 4, Duration::ZERO);
        let means = window.take(2, 0);
        assert_eq!((means.step, means.steps), (2, 2));
        assert_eq!(means.get("loss"), Some(1.5));
        assert_eq!(means.get("cls"), Some(3.0));
        assert_eq!(means.get("lr"), Some(0.2));
        assert_eq!(means.get("usage"), Some(3.0 / 8.0));

        window.add(&report(f64::NAN, 0.3, &[]), 4, Duration::ZERO);
        let means = window.take(3, 0);
        assert_eq!((means.steps, means.get("loss")), (1, None));
        assert_eq!(means.values["loss"], None, "recorded as null");
    }
}
