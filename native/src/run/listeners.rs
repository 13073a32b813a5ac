//! Where the events of a run go.

use super::display::Display;
use super::event::Event;
use super::metrics::Metrics;
use super::status::StatusFile;

/// The listeners of a run: the terminal, `status.json`, and the metrics.
pub struct Listeners {
    pub display: Display,
    pub status: StatusFile,
    pub metrics: Metrics,
}

impl Listeners {
    pub fn emit(&mut self, event: &Event) {
        self.display.on_event(event);
        self.status.on_event(event);
        self.metrics.on_event(event);
    }

    pub fn warn(&mut self, warning: &str) {
        self.emit(&Event::Warning(warning));
    }
}
