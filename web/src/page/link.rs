//! The page's end of the line to the worker.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use super::dom;
use super::problem::PageError;
use ibot_web::protocol::{Ask, Event, Request};
use ibot_web::wire;

/// The worker's program, beside the page's.
const PROGRAM: &str = "worker_loader.js";

type Answer = Result<JsValue, String>;

/// A worker, and the questions that it has yet to answer.
pub struct Link {
    worker: Worker,
    pending: RefCell<HashMap<u32, oneshot::Sender<Answer>>>,
    last: Cell<u32>,
}

impl Link {
    /// Starts a worker and waits until it listens. `hear` gets what it says unasked; its end is a
    /// [`Event::Panicked`].
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub async fn start(hear: impl Fn(Event) + 'static) -> Result<Rc<Self>, PageError> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(PROGRAM, &options)?;
        let link = Rc::new(Self {
            worker,
            pending: RefCell::default(),
            last: Cell::new(0),
        });
        let (ready, is_ready) = oneshot::channel();
        let ready = Rc::new(Cell::new(Some(ready)));
        let not_ready = ready.clone();
        let hear = Rc::new(hear);
        let (listening, heard) = (Rc::downgrade(&link), hear.clone());
        dom::listen(&link.worker, "message", move |message: MessageEvent| {
            let Some(link) = listening.upgrade() else {
                return;
            };
            match link.receive(&message.data()) {
                Some(Event::Ready) => {
                    if let Some(ready) = ready.take() {
                        // Nobody waits any more only if the page is being left.
                        let _ = ready.send(Ok(()));
                    }
                }
                Some(event) => heard(event),
                None => {}
            }
        });
        let failing = Rc::downgrade(&link);
        dom::listen(&link.worker, "error", move |event: web_sys::Event| {
            let reason = match event.dyn_ref::<web_sys::ErrorEvent>() {
                Some(error) => error.message(),
                None => "its program could not be loaded".to_owned(),
            };
            if let Some(link) = failing.upgrade() {
                link.abandon();
            }
            match not_ready.take() {
                // A worker that never listened would not the next time either.
                Some(not_ready) => drop(not_ready.send(Err(PageError::NoWorker(reason)))),
                None => hear(Event::Panicked(reason)),
            }
        });
        is_ready.await.map_err(|_| PageError::Gone)??;
        Ok(link)
    }

    /// Asks, and waits for the answer. Questions are answered in order.
    ///
    /// # Errors
    /// What the worker says is wrong, or that it is gone.
    pub async fn ask<A: Ask>(&self, ask: A) -> Result<A::Answer, PageError> {
        let id = self.last.get().wrapping_add(1).max(1);
        self.last.set(id);
        let request: Request = ask.into();
        let request =
            wire::to_js(&request).map_err(|error| PageError::Worker(error.to_string()))?;
        let message = wire::message(id, "ask", &request);
        let (sender, answer) = oneshot::channel();
        self.pending.borrow_mut().insert(id, sender);
        self.worker
            .post_message_with_transfer(&message, &wire::transfers(&message))?;
        let answer = answer
            .await
            .map_err(|_| PageError::Gone)?
            .map_err(PageError::Worker)?;
        wire::from_js(answer).map_err(|error| PageError::Worker(error.to_string()))
    }

    /// Ends the worker; who waits for an answer learns that there is none.
    pub fn abandon(&self) {
        self.worker.terminate();
        self.pending.borrow_mut().clear();
    }

    /// Hands an answer to who waits for it; gives back an event.
    fn receive(&self, message: &JsValue) -> Option<Event> {
        let id = wire::id(message);
        if id == 0 {
            return wire::from_js(wire::property(message, "event")).ok();
        }
        let sender = self.pending.borrow_mut().remove(&id)?;
        let failed = wire::property(message, "failed").as_string();
        // Nobody waits any more only if the page moved on.
        let _ = sender.send(failed.map_or_else(|| Ok(wire::property(message, "answer")), Err));
        None
    }
}
