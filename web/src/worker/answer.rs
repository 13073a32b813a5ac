//! How a question gets its answer.

use serde::Serialize;
use wasm_bindgen::JsValue;

use super::problem::Problem;
use super::state::WorkerState;
use ibot_web::protocol::{Ask, Request};
use ibot_web::{match_request, wire};

/// A question that the worker can answer.
pub trait Answer: Ask {
    async fn answer(self, worker: &mut WorkerState) -> Result<Self::Answer, Problem>;
}

/// The answer to any question, as a JavaScript value.
pub async fn answer(request: Request, worker: &mut WorkerState) -> Result<JsValue, Problem> {
    match_request!(request, ask => to_js(&ask.answer(worker).await?))
}

fn to_js<T: Serialize>(answer: &T) -> Result<JsValue, Problem> {
    wire::to_js(answer).map_err(|error| Problem::Message(error.to_string()))
}
