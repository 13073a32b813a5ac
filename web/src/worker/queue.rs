//! Questions in their order, and a lesson between them.

use futures_channel::mpsc::{TryRecvError, UnboundedReceiver};
use wasm_bindgen::JsValue;

use super::answer::answer;
use super::port;
use super::problem::Problem;
use super::state::WorkerState;
use ibot_web::js;
use ibot_web::protocol::{LessonEvent, WorkerEvent};
use ibot_web::wire;

pub async fn answer_all(mut questions: UnboundedReceiver<JsValue>) {
    let mut worker = WorkerState::new();
    loop {
        let question = if worker.tuner.is_running() {
            match questions.try_recv() {
                Err(TryRecvError::Empty) => {
                    learn(&mut worker).await;
                    // Messages arrive only while the worker sleeps.
                    js::sleep(0.0).await;
                    continue;
                }
                question => question.ok(),
            }
        } else {
            questions.recv().await.ok()
        };

        match question {
            Some(question) => receive(&question, &mut worker).await,
            None => break,
        }
    }
}

async fn receive(question: &JsValue, worker: &mut WorkerState) {
    let id = wire::id(question);
    let answer = match wire::from_js(wire::property(question, "ask")) {
        Ok(request) => answer(request, worker).await,
        Err(error) => Err(Problem::Message(error.to_string())),
    };

    match answer {
        Ok(answer) => port::post(&wire::message(id, "answer", &answer)),
        Err(problem) => {
            worker.report_loss(&problem);
            port::post(&wire::message(id, "failed", &problem.to_string().into()));
        }
    }
}

async fn learn(worker: &mut WorkerState) {
    let learned = match worker.model() {
        Ok(model) => worker.tuner.learn(&model).await,
        Err(problem) => Err(problem),
    };
    if let Err(problem) = learned {
        // A step that failed would fail again.
        worker.tuner.stop();
        worker.report_loss(&problem);
        port::send(&WorkerEvent::Lesson(LessonEvent::Failed(
            problem.to_string(),
        )));
    }
}
