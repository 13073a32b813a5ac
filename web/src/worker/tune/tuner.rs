//! The images and the lesson.

use ibot_core::session::ProjectSettings;
use ibot_core::weights::Weights;

use super::examples::Examples;
use super::session::Session;
use crate::worker::model::LoadedModel;
use crate::worker::port;
use crate::worker::problem::Problem;
use ibot_web::js;
use ibot_web::protocol::{LessonEvent, LessonStep, WorkerEvent};

// Milliseconds of learning between two chances to ask: about as often as a page is drawn.
const MOMENT: f64 = 40.0;

#[derive(Default)]
pub struct Tuner {
    pub examples: Examples,
    /// The last lesson, whether or not it is complete.
    pub session: Option<Session>,
    running: bool,
    /// The lesson of a file, until its images are there.
    pub stored: Option<StoredLesson>,
}

/// What a project's file had learned.
pub struct StoredLesson {
    pub settings: ProjectSettings,
    pub weights: Weights,
}

impl Tuner {
    pub fn is_running(&self) -> bool {
        self.running
    }

    pub fn session(&self) -> Result<&Session, Problem> {
        self.session.as_ref().ok_or(Problem::NothingLearned)
    }

    /// Begins or goes on with the lesson, if there is one.
    pub fn run(&mut self) {
        self.running = self.session.is_some();
    }

    pub fn stop(&mut self) {
        self.running = false;
    }

    pub fn forget_lesson(&mut self) {
        self.stop();
        self.session = None;
    }

    /// Keeps the images, but nothing that was computed with a model.
    pub fn forget_features(&mut self) {
        self.examples.forget_features();
        self.forget_lesson();
    }

    /// Learns for a moment and reports the steps; after the last one the result, too.
    pub async fn learn(&mut self, model: &LoadedModel) -> Result<(), Problem> {
        let session = self.session.as_mut().ok_or(Problem::NothingLearned)?;
        let start = js::now();
        let mut steps = Vec::<LessonStep>::new();
        while !session.is_complete() && js::now() - start < MOMENT {
            steps.extend(session.step(&self.examples, model).await?);
        }

        // Without the measurements of the result, which are no part of learning.
        session.spent += js::now() - start;
        let complete = session.is_complete();
        port::send(&WorkerEvent::Lesson(LessonEvent::Stepped(steps)));

        if complete {
            self.stop();
            self.judge(model).await?;
        }
        Ok(())
    }

    pub async fn judge(&mut self, model: &LoadedModel) -> Result<(), Problem> {
        if let Some(session) = &mut self.session {
            let result = session.judge(&self.examples, model).await?;
            port::send(&WorkerEvent::Lesson(LessonEvent::Judged(result)));
        }
        Ok(())
    }
}
