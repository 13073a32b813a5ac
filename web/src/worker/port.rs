//! Messages to the page.

use wasm_bindgen::prelude::*;
use web_sys::DedicatedWorkerGlobalScope;

use ibot_web::protocol::WorkerEvent;
use ibot_web::wire;

pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

pub fn send(event: &WorkerEvent) {
    if let Ok(event) = wire::to_js(event) {
        post(&wire::message(0, "event", &event));
    }
}

pub fn post(message: &JsValue) {
    if let Err(error) = scope().post_message_with_transfer(message, &wire::transfers(message)) {
        web_sys::console::error_1(&error);
    }
}
