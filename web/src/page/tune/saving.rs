//! The copy of the project that the browser keeps until the next visit.

use std::rc::Rc;

use web_sys::HtmlElement;

use super::state::{LessonPhase, Saving};
use super::switch::Lease;
use super::tab::Tune;
use crate::page::database::{self, SavedProject};
use crate::page::problem::PageError;
use crate::page::{blob, dom, events};
use ibot_web::js;

/// Milliseconds without a change after which the project is saved.
const SETTLED: f64 = 1500.0;

/// Offers to go on with the project of the last visit.
pub fn offer_last() {
    events::start(async { show_banner(database::find().await?.as_ref()) });
}

/// Offers a project, or nothing.
pub fn show_banner(project: Option<&SavedProject>) -> Result<(), PageError> {
    dom::by_id::<HtmlElement>("tune-banner")?.set_hidden(project.is_none());
    let text = match project {
        Some(project) => format!("Resume your last project ({})?", project.summary),
        None => String::new(),
    };
    dom::set_text("tune-last", &text)
}

impl Tune {
    /// Has the project saved in the browser as soon as nothing changes any more.
    pub(super) fn changed(self: &Rc<Self>) {
        if matches!(*self.saving.borrow(), Saving::Opening) {
            return;
        }
        let (lease, turn) = Lease::new();
        self.saving.replace(Saving::Changed { _turn: lease });

        let tune = self.clone();
        events::start(async move {
            js::sleep(SETTLED).await;
            // A lesson that runs ends with a change of its own.
            let running = tune.state.borrow().phase == LessonPhase::Running;
            if !turn.lasts() || running || !tune.client.has_model() {
                return Ok(());
            }

            tune.keep().await?;
            if turn.lasts() {
                tune.saving.replace(Saving::Saved);
            }
            Ok(())
        });
    }

    async fn keep(&self) -> Result<(), PageError> {
        let classes = self.state.borrow().classes.len();
        let images = self.state.borrow().images.len();
        // Nothing would be left to resume.
        if classes == 0 {
            return database::clear().await;
        }

        let summary = format!(
            "{classes} {}, {images} {}",
            if classes == 1 { "class" } else { "classes" },
            if images == 1 { "image" } else { "images" },
        );
        let file = blob::of(&self.pack().await?)?;
        database::keep(&SavedProject { summary, file }).await?;
        show_banner(None)
    }
}
