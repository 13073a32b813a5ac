//! What a person sees of a running run: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::means::Means;

/// Seconds between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// The display of a run's progress, on standard error.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: usize,
    batch: usize,
    last_line: Instant,
}

impl Progress {
    /// A display for a run of `total` steps of `batch` images, `done` of them done.
    pub fn new(total: usize, done: usize, batch: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64).with_position(done as u64);
            // The template is a constant that the tests parse.
            bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.reset_eta();
            bar
        });
        Self {
            bar,
            total,
            batch,
            last_line: Instant::now(),
        }
    }

    /// Shows that a step is done.
    pub fn step(&self, step: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(step as u64);
        }
    }

    /// Shows the means of the last steps.
    pub fn means(&mut self, means: &Means) {
        let number = |value: Option<f64>| {
            value.map_or("not finite".to_owned(), |value| format!("{value:.3}"))
        };
        let line = format!(
            "loss {} (CLS {}, patch {})  lr {:.1e}  {:.0} img/s",
            number(means.loss),
            number(means.cls),
            number(means.patch),
            means.lr,
            means.images_per_second
        );
        match &self.bar {
            Some(bar) => bar.set_message(format!("epoch {}  {line}", means.epoch + 1)),
            None if self.last_line.elapsed() >= PLAIN_EVERY || means.step == self.total => {
                self.last_line = Instant::now();
                let left = (self.total - means.step) as f64 * self.batch as f64
                    / means.images_per_second.max(1e-9);
                let left = HumanDuration(Duration::from_secs_f64(left.min(1e9)));
                eprintln!(
                    "step {}/{}  epoch {}  {line}  {left} left",
                    means.step,
                    self.total,
                    means.epoch + 1
                );
            }
            None => {}
        }
    }

    /// Prints a line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    /// Ends the display.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {eta} left")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_valid() {
        assert!(super::style().is_ok());
    }
}
