//! Answers about images and lessons.

use super::session::Session;
use crate::worker::answer::Answer;
use crate::worker::picture;
use crate::worker::problem::Problem;
use crate::worker::state::WorkerState;
use ibot_web::protocol::{AddExample, Classify, Continue, Pause, RemoveExamples, Train};

impl Answer for AddExample {
    async fn answer(self, worker: &mut WorkerState) -> Result<(), Problem> {
        let model = worker.model()?;
        let image = picture::to_rgb(&self.picture)?;
        worker.tuner.examples.add(self.id, image, &model).await
    }
}

impl Answer for RemoveExamples {
    async fn answer(self, worker: &mut WorkerState) -> Result<(), Problem> {
        for id in self.ids {
            worker.tuner.examples.remove(id);
        }
        // It may have learned from these images.
        worker.tuner.forget_lesson();
        Ok(())
    }
}

impl Answer for Train {
    async fn answer(self, worker: &mut WorkerState) -> Result<(), Problem> {
        let model = worker.model()?;
        let tuner = &mut worker.tuner;

        // The last lesson is freed before there is a new one.
        tuner.forget_lesson();
        // Images that were added while there was no model have no features yet.
        tuner.examples.complete(&model).await?;
        let file = self.file.as_ref().map(|file| &file.0[..]);
        tuner.session = Some(Session::new(self.lesson, file, &tuner.examples, &model).await?);
        tuner.run();
        Ok(())
    }
}

impl Answer for Pause {
    async fn answer(self, worker: &mut WorkerState) -> Result<(), Problem> {
        let model = worker.model()?;
        worker.tuner.stop();
        worker.tuner.judge(&model).await
    }
}

impl Answer for Continue {
    async fn answer(self, worker: &mut WorkerState) -> Result<(), Problem> {
        worker.tuner.run();
        Ok(())
    }
}

impl Answer for Classify {
    async fn answer(self, worker: &mut WorkerState) -> Result<Vec<f32>, Problem> {
        let model = worker.model()?;
        let session = worker.tuner.session()?;
        session
            .classify(&picture::to_rgb(&self.picture)?, &model)
            .await
    }
}
