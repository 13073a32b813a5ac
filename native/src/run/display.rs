//! What a person sees of a run under way: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::style::TemplateError;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::event::Event;
use super::means::Means;
use super::record::Record;

/// Time between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

pub struct Display {
    bar: Option<ProgressBar>,
    total: usize,
    batch: usize,
    /// The losses of a few steps in a few words.
    summary: fn(&Means) -> String,
    last_line: Instant,
}

impl Display {
    /// A display for a run of `total` steps of `batch` images, of which `step` are done.
    pub fn new(total: usize, step: usize, batch: usize, summary: fn(&Means) -> String) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64).with_position(step as u64);
            // The template is a constant that the tests parse.
            bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
            // Steps before a resume took no time in this process.
            bar.reset_eta();
            bar
        });
        Self {
            bar,
            total,
            batch,
            summary,
            last_line: Instant::now(),
        }
    }

    pub fn on_event(&mut self, event: &Event) {
        match event {
            Event::Step { step, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(*step as u64);
                }
            }
            Event::Record(Record::Step(means)) => self.show(means),
            Event::Warning(warning) => self.print(&format!("warning: {warning}")),
            Event::Notice(line) => self.print(line),
            Event::Record(_) | Event::Saved(_) | Event::State { .. } => {}
        }
    }

    fn show(&mut self, means: &Means) {
        let line = format!(
            "{}  {:.0} img/s",
            (self.summary)(means),
            means.images_per_second
        );
        let epoch = means.epoch + 1;
        if let Some(bar) = &self.bar {
            bar.set_message(format!("epoch {epoch}  {line}"));
            return;
        }

        if self.last_line.elapsed() >= PLAIN_EVERY || means.step == self.total {
            self.last_line = Instant::now();
            let images = (self.total - means.step) * self.batch;
            let seconds = images as f64 / means.images_per_second.max(1e-9);
            // `from_secs_f64` panics for more seconds than a Duration holds.
            let left = HumanDuration(Duration::from_secs_f64(seconds.min(1e9)));
            eprintln!(
                "step {}/{}  epoch {epoch}  {line}  {left} left",
                means.step, self.total
            );
        }
    }

    /// Prints a line that stays.
    fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

fn style() -> Result<ProgressStyle, TemplateError> {
    ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {eta} left")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_valid() {
        assert!(super::style().is_ok());
    }
}
