//! Lessons: begin, stop, go on, and take in what the worker reports.

use std::rc::Rc;

use web_sys::{Event, HtmlElement, HtmlInputElement, HtmlSelectElement};

use super::modes;
use super::state::LessonPhase;
use super::tab::Tune;
use crate::page::problem::PageError;
use crate::page::{dom, events, status};
use ibot_web::protocol::{Continue, Lesson, LessonEvent, Pause, Train, TuneMode};
use ibot_web::wire::Bytes;

pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    events::on_click("tune-train", tune, Tune::train)?;
    events::on_click("tune-stop", tune, Tune::pause)?;
    events::on_click("tune-restart", tune, Tune::train_anew)?;

    let mode: HtmlSelectElement = dom::by_id("tune-mode")?;
    let chosen = mode.clone();
    events::on(&mode, "change", tune, move |tune, _: Event| {
        status::report(tune.choose(modes::mode_of(&chosen.value()), None));
    });
    let steps: HtmlInputElement = dom::by_id("tune-steps")?;
    events::on(&steps, "input", tune, |tune, _: Event| tune.draw());

    tune.choose(TuneMode::Linear, None)
}

impl Tune {
    pub fn receive(self: &Rc<Self>, event: LessonEvent) {
        match event {
            LessonEvent::Stepped(steps) => self.state.borrow_mut().steps.extend(steps),
            LessonEvent::Judged(outcome) => {
                let mut state = self.state.borrow_mut();
                state.phase = match outcome.complete {
                    true => LessonPhase::Complete,
                    false => LessonPhase::Paused,
                };
                state.outcome = Some(outcome);
                // `changed` and `draw` borrow the state again.
                drop(state);

                status::say("");
                self.changed();
            }
            LessonEvent::Failed(reason) => {
                self.state.borrow_mut().forget_lesson();
                status::fail(&PageError::Worker(reason));
            }
        }
        self.draw();
    }

    /// Shows a mode in the form, with its usual number of steps if none is given.
    pub(super) fn choose(&self, mode: TuneMode, steps: Option<usize>) -> Result<(), PageError> {
        let info = modes::about(mode);
        dom::by_id::<HtmlSelectElement>("tune-mode")?.set_value(info.value);
        dom::by_id::<HtmlElement>("tune-about")?.set_text_content(Some(info.description));

        let field: HtmlInputElement = dom::by_id("tune-steps")?;
        field.set_disabled(mode == TuneMode::Knn);
        field.set_value(&steps.unwrap_or(info.steps).to_string());
        self.show()
    }

    pub(super) fn lesson(&self) -> Result<Lesson, PageError> {
        let mode = dom::by_id::<HtmlSelectElement>("tune-mode")?.value();
        let steps = dom::by_id::<HtmlInputElement>("tune-steps")?.value_as_number();

        let state = self.state.borrow();
        Ok(Lesson {
            mode: modes::mode_of(&mode),
            labels: state.labels(),
            classes: state.classes.len(),
            // The conversion makes 0 of a field without a number.
            steps: (steps as usize).max(1),
        })
    }

    /// Goes on with the lesson that was paused, or begins another one.
    async fn train(self: Rc<Self>) -> Result<(), PageError> {
        let lesson = self.lesson()?;
        if !self.state.borrow().can_continue(&lesson) {
            return self.train_anew().await;
        }

        self.state.borrow_mut().phase = LessonPhase::Running;
        self.show()?;
        self.client.ask(Continue).await
    }

    async fn train_anew(self: Rc<Self>) -> Result<(), PageError> {
        let lesson = self.lesson()?;
        // Adapting needs no labels; in all other modes each class needs an image.
        if lesson.mode != TuneMode::Adapt
            && let Some(class) = self.empty_class()
        {
            return Err(PageError::EmptyClass(class));
        }
        {
            let mut state = self.state.borrow_mut();
            state.forget_lesson();
            state.lesson = Some(lesson.clone());
            // Before the worker has begun, so that no second click begins another lesson.
            state.phase = LessonPhase::Running;
        }
        self.show()?;
        status::say("Learning…");

        let begun = match self.file_for(lesson.mode).await {
            Ok(file) => self.client.ask(Train { lesson, file }).await,
            Err(error) => Err(error),
        };
        // Nothing is running then; the form offers to train again.
        if begun.is_err() {
            self.state.borrow_mut().forget_lesson();
            self.show()?;
        }
        begun
    }

    async fn pause(self: Rc<Self>) -> Result<(), PageError> {
        self.client.ask(Pause).await
    }

    fn empty_class(&self) -> Option<String> {
        let state = self.state.borrow();
        for (class, name) in state.classes.iter().enumerate() {
            if state.count(class) == 0 {
                return Some(name.clone());
            }
        }
        None
    }

    /// The model's file, for the mode that starts from it.
    pub(super) async fn file_for(&self, mode: TuneMode) -> Result<Option<Bytes>, PageError> {
        match mode {
            TuneMode::Adapt => self.client.file().await,
            _ => Ok(None),
        }
    }
}
