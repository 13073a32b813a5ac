//! What a person sees while classifiers learn.

use indicatif::style::TemplateError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on a terminal; nothing elsewhere.
pub struct TrainingBar(ProgressBar);

impl TrainingBar {
    /// The progress of so many images on standard error, if it is to be `shown`.
    pub fn new(images: usize, shown: bool) -> Self {
        // indicatif draws nothing where standard error is no terminal.
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(images as u64), target);
        // The template is a constant that the tests parse.
        bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    pub fn add(&self, images: usize) {
        self.0.inc(images as u64);
    }

    /// Shows the best top-1 accuracy after an epoch.
    pub fn note(&self, epoch: usize, top1: f64) {
        let percent = 100.0 * top1;
        self.0.set_message(format!("epoch {epoch}: {percent:.1} %"));
    }

    /// Prints a line that stays.
    pub fn warn(&self, problem: &str) {
        self.0.suspend(|| eprintln!("warning: {problem}"));
    }
}

impl Drop for TrainingBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style() -> Result<ProgressStyle, TemplateError> {
    ProgressStyle::with_template("training {bar:30} {percent} %  {msg}  {eta} left")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_valid() {
        assert!(super::style().is_ok());
    }
}
