//! The worker: takes questions one by one, in order, and answers them. Between questions it learns,
//! if a lesson is running.

mod answer;
mod device;
mod explore;
mod model;
mod picture;
mod port;
mod problem;
mod queue;
mod selftest;
mod setup;
mod state;
mod tune;

use std::panic;

use futures_channel::mpsc::unbounded;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use ibot_web::protocol::WorkerEvent;

pub fn run() {
    panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
        // After a panic nothing is answered any more: the page has to start another worker.
        port::send(&WorkerEvent::Panicked(info.to_string()));
    }));
    if let Err(error) = construct() {
        web_sys::console::error_1(&error);
    }

    let (sender, questions) = unbounded();
    let listen = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        // The receiver exists as long as the worker.
        let _ = sender.unbounded_send(event.data());
    });
    port::scope().set_onmessage(Some(listen.as_ref().unchecked_ref()));
    listen.forget();

    spawn_local(queue::answer_all(questions));
    port::send(&WorkerEvent::Ready);
}

/// Runs the constructors, which `build.rs` keeps the linker from calling.
fn construct() -> Result<(), JsValue> {
    let constructors = js_sys::Reflect::get(&wasm_bindgen::exports(), &"__wasm_call_ctors".into())?;
    constructors
        .dyn_into::<js_sys::Function>()?
        .call0(&JsValue::UNDEFINED)?;
    Ok(())
}
