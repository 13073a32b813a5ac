//! Learns classes from a few images, a moment at a time.

mod examples;
mod files;
mod session;

use burn::tensor::Device;

use super::model::Model;
use super::problem::Problem;
use super::{rgb, say};
use examples::Examples;
use files::Stored;
use ibot_web::js;
use ibot_web::protocol::{AddExample, Classify, LessonEvent, LessonStep, Train, WorkerEvent};
use session::Session;

/// Milliseconds of learning between two chances to ask: as often as a page can draw.
const MOMENT: f64 = 40.0;

/// The images, and the lesson if there is one.
#[derive(Default)]
pub struct Tuner {
    examples: Examples,
    session: Option<Session>,
    runs: bool,
    /// What a file had learned, until its images are there.
    stored: Option<Stored>,
}

impl Tuner {
    /// Takes an image and computes its feature.
    pub async fn add(
        &mut self,
        ask: &AddExample,
        model: &Model,
        device: &Device,
    ) -> Result<(), Problem> {
        self.examples
            .add(ask.id, rgb(&ask.picture)?, model, device)
            .await
    }

    /// Gives images up, and what was learned while they were there.
    pub fn remove(&mut self, ids: &[u32]) {
        ids.iter().for_each(|id| self.examples.remove(*id));
        self.stop();
        self.session = None;
    }

    /// Keeps the images, but nothing that a model made of them.
    pub fn forget_features(&mut self) {
        self.examples.forget_features();
        self.stop();
        self.session = None;
    }

    /// Begins a lesson.
    pub async fn train(
        &mut self,
        ask: &Train,
        model: &Model,
        device: &Device,
    ) -> Result<(), Problem> {
        self.stop();
        // Frees what the last lesson holds before the next one is made.
        self.session = None;
        self.examples.complete(model, device).await?;
        let file = ask.file.as_ref().map(|file| &file.0[..]);
        self.session =
            Some(Session::new(ask.lesson.clone(), file, &self.examples, model, device).await?);
        self.runs = true;
        Ok(())
    }

    /// Whether a lesson goes on.
    pub fn runs(&self) -> bool {
        self.runs
    }

    /// Ends learning for now; the lesson stays.
    pub fn stop(&mut self) {
        self.runs = false;
    }

    /// Ends learning for now and says what it came to.
    pub async fn pause(&mut self, model: &Model, device: &Device) -> Result<(), Problem> {
        self.stop();
        self.judge(model, device).await
    }

    /// Goes on with the lesson, if there is one.
    pub fn go_on(&mut self) {
        self.runs = self.session.is_some();
    }

    /// Learns for a moment and says so; at the end says what it came to.
    pub async fn learn(&mut self, model: &Model, device: &Device) -> Result<(), Problem> {
        let Some(session) = &mut self.session else {
            return Err(Problem::NothingLearned);
        };
        let (start, mut points) = (js::now(), Vec::<LessonStep>::new());
        while !session.is_done() && js::now() - start < MOMENT {
            points.extend(session.step(&self.examples, model, device).await?);
        }
        session.spent += js::now() - start;
        say(&WorkerEvent::Lesson(LessonEvent::Stepped(points)));
        if session.is_done() {
            self.stop();
            self.judge(model, device).await?;
        }
        Ok(())
    }

    /// What a picture shows.
    pub async fn classify(
        &self,
        ask: &Classify,
        model: &Model,
        device: &Device,
    ) -> Result<Vec<f32>, Problem> {
        let session = self.session.as_ref().ok_or(Problem::NothingLearned)?;
        session.classify(&rgb(&ask.picture)?, model, device).await
    }

    async fn judge(&mut self, model: &Model, device: &Device) -> Result<(), Problem> {
        if let Some(session) = &mut self.session {
            say(&WorkerEvent::Lesson(LessonEvent::Judged(
                session.judge(&self.examples, model, device).await?,
            )));
        }
        Ok(())
    }
}
