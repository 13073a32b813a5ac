//! The connection to a worker: questions with their answers, and events.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, Event, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::events::Listener;
use super::problem::PageError;
use ibot_web::protocol::{Request, WorkerEvent};
use ibot_web::wire;

/// The worker's program, beside the page's.
const PROGRAM: &str = "worker_loader.js";

/// The answer as a JavaScript value, or the worker's reason why there is none.
pub type Reply = Result<JsValue, String>;

/// A worker. It is ended when this is dropped.
pub struct WorkerLink {
    worker: Worker,
    calls: Rc<Calls>,
    last_id: Cell<u32>,
    /// They belong to this worker alone, and go with it.
    _listeners: [Listener; 2],
}

impl WorkerLink {
    /// Starts a worker and waits until it listens. `on_event` gets its events; after a
    /// [`WorkerEvent::Panicked`] there are no more.
    pub async fn start(on_event: impl Fn(WorkerEvent) + 'static) -> Result<Self, PageError> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(PROGRAM, &options)?;

        let calls = Rc::new(Calls::default());
        let (ready, is_ready) = oneshot::channel();
        let events = Rc::new(Events {
            ready: Cell::new(Some(ready)),
            on_event: Box::new(on_event),
        });

        let link = Self {
            _listeners: [
                listen_to_messages(&worker, &calls, &events),
                listen_to_errors(&worker, &calls, &events),
            ],
            worker,
            calls,
            last_id: Cell::new(0),
        };
        is_ready.await.map_err(|_| PageError::Gone)??;
        Ok(link)
    }

    /// Sends a question; the reply is cancelled if the worker ends first.
    pub fn send(&self, request: &Request) -> Result<oneshot::Receiver<Reply>, PageError> {
        let request = wire::to_js(request).map_err(|error| PageError::Worker(error.to_string()))?;
        // Events have the number 0.
        let id = self.last_id.get().wrapping_add(1).max(1);
        self.last_id.set(id);

        let (sender, reply) = oneshot::channel();
        // Before the message is sent, so that no answer can miss it.
        self.calls.0.borrow_mut().insert(id, sender);

        let message = wire::message(id, "ask", &request);
        self.worker
            .post_message_with_transfer(&message, &wire::transfers(&message))?;
        Ok(reply)
    }
}

impl Drop for WorkerLink {
    fn drop(&mut self) {
        // It may be in the middle of a computation, whose answer nobody waits for.
        self.worker.terminate();
        self.calls.cancel();
    }
}

#[derive(Default)]
struct Calls(RefCell<HashMap<u32, oneshot::Sender<Reply>>>);

impl Calls {
    /// Passes an answer to the one who waits for it; returns an event.
    fn receive(&self, message: &JsValue) -> Option<WorkerEvent> {
        let id = wire::id(message);
        if id == 0 {
            return wire::from_js(wire::property(message, "event")).ok();
        }

        let sender = self.0.borrow_mut().remove(&id)?;
        let reply = match wire::property(message, "failed").as_string() {
            Some(reason) => Err(reason),
            None => Ok(wire::property(message, "answer")),
        };
        // Sending fails only if nobody waits any more.
        let _ = sender.send(reply);
        None
    }

    /// Whoever waits for an answer gets [`PageError::Gone`].
    fn cancel(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Where events go: the first one ends the start.
struct Events {
    ready: Cell<Option<oneshot::Sender<Result<(), PageError>>>>,
    on_event: Box<dyn Fn(WorkerEvent)>,
}

impl Events {
    fn receive(&self, event: WorkerEvent) {
        match (event, self.ready.take()) {
            // Sending fails only if nobody waits for the start any more.
            (WorkerEvent::Ready, Some(ready)) => drop(ready.send(Ok(()))),
            (WorkerEvent::Ready, None) => {}
            (event, ready) => {
                self.ready.set(ready);
                (self.on_event)(event);
            }
        }
    }

    fn fail(&self, reason: String) {
        match self.ready.take() {
            // A worker that never listened would not do so the next time either.
            Some(ready) => drop(ready.send(Err(PageError::NoWorker(reason)))),
            None => (self.on_event)(WorkerEvent::Panicked(reason)),
        }
    }
}

fn listen_to_messages(worker: &Worker, calls: &Rc<Calls>, events: &Rc<Events>) -> Listener {
    let calls = calls.clone();
    let events = events.clone();

    Listener::new(worker, "message", move |message: MessageEvent| {
        if let Some(event) = calls.receive(&message.data()) {
            events.receive(event);
        }
    })
}

fn listen_to_errors(worker: &Worker, calls: &Rc<Calls>, events: &Rc<Events>) -> Listener {
    let failed = worker.clone();
    let calls = calls.clone();
    let events = events.clone();

    Listener::new(worker, "error", move |event: Event| {
        let reason = match event.dyn_ref::<ErrorEvent>() {
            Some(error) => error.message(),
            None => "its program could not be loaded".to_owned(),
        };
        // After an error nothing in the worker can be trusted, so no answer is waited for.
        failed.terminate();
        calls.cancel();
        events.fail(reason);
    })
}
