//! What a person sees while images are worked on.

use std::time::Instant;

use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal; nothing elsewhere.
pub struct PassProgress {
    bar: Option<ProgressBar>,
    begin: Instant,
}

impl PassProgress {
    /// The progress of `images` images on standard error, if it is to be `shown`; `what` is done with
    /// them in a word.
    pub fn new(what: &'static str, images: usize, shown: bool) -> Self {
        let bar = shown.then(|| {
            // indicatif draws nothing where standard error is no terminal.
            let bar = ProgressBar::new(images as u64);
            // The template is a constant that the tests parse.
            bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what);
            bar
        });
        Self {
            bar,
            begin: Instant::now(),
        }
    }

    pub fn add(&self, images: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(images as u64);
            let speed = bar.position() as f64 / self.begin.elapsed().as_secs_f64().max(1e-9);
            bar.set_message(format!("{speed:.1} img/s"));
        }
    }

    /// Prints a line that stays.
    pub fn warn(&self, problem: &str) {
        let line = format!("warning: {problem}");
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for PassProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> Result<ProgressStyle, TemplateError> {
    ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} images  {msg}  {eta} left")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_valid() {
        assert!(super::style().is_ok());
    }
}
