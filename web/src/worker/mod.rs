//! The worker: takes questions one by one, in order, and answers them. Between questions it learns,
//! if it was told to.

mod device;
mod explore;
mod model;
mod problem;
mod selftest;
mod tune;

use std::panic;

use futures_channel::mpsc::{TryRecvError, UnboundedReceiver, unbounded};
use ibot_core::image::RgbImage;
use ibot_core::scenes;
use ibot_core::scenes::Split;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use device::Compute;
use explore::Explorer;
use ibot_web::js;
use ibot_web::protocol::{Ask, LessonEvent, PaintScene, Picture, Request, WorkerEvent};
use ibot_web::wire::{self, Bytes};
use model::Model;
use problem::Problem;
use tune::Tuner;

/// Starts to listen.
pub fn run() {
    panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
        say(&WorkerEvent::Panicked(info.to_string()));
    }));
    if let Err(error) = construct() {
        web_sys::console::error_1(&error);
    }
    let (sender, receiver) = unbounded();
    let listen = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        // The receiver lives as long as the worker.
        let _ = sender.unbounded_send(event.data());
    });
    scope().set_onmessage(Some(listen.as_ref().unchecked_ref()));
    listen.forget();
    spawn_local(answer_all(receiver));
    say(&WorkerEvent::Ready);
}

/// Runs the constructors that `build.rs` has the linker leave to us.
fn construct() -> Result<(), JsValue> {
    let constructors = js_sys::Reflect::get(&wasm_bindgen::exports(), &"__wasm_call_ctors".into())?;
    constructors
        .dyn_into::<js_sys::Function>()?
        .call0(&JsValue::UNDEFINED)?;
    Ok(())
}

/// What the worker knows.
struct Worker {
    compute: Compute,
    model: Option<Model>,
    explorer: Explorer,
    tuner: Tuner,
}

async fn answer_all(mut questions: UnboundedReceiver<JsValue>) {
    let mut worker = Worker {
        compute: Compute::cpu("The CPU, until a device is chosen."),
        model: None,
        explorer: Explorer::default(),
        tuner: Tuner::default(),
    };
    loop {
        let question = if worker.tuner.runs() {
            // A lesson goes on as long as nobody asks; messages arrive while the worker sleeps.
            match questions.try_recv() {
                Err(TryRecvError::Empty) => {
                    worker.learn().await;
                    js::sleep(0.0).await;
                    continue;
                }
                question => question.ok(),
            }
        } else {
            questions.recv().await.ok()
        };
        match question {
            Some(question) => worker.hear(question).await,
            None => break,
        }
    }
}

impl Worker {
    async fn hear(&mut self, question: JsValue) {
        let id = wire::id(&question);
        let request = wire::from_js(wire::property(&question, "ask"));
        let answer = match request {
            Ok(request) => self.answer(request).await,
            Err(error) => Err(Problem::Message(error.to_string())),
        };
        match answer {
            Ok(answer) => post(&wire::message(id, "answer", &answer)),
            Err(problem) => {
                self.tell_if_lost(&problem);
                post(&wire::message(id, "failed", &problem.to_string().into()));
            }
        }
    }

    /// Goes on with the lesson for a moment.
    async fn learn(&mut self) {
        let learned = match &self.model {
            Some(model) => self.tuner.learn(model, &self.compute.device).await,
            None => Err(Problem::NoModel),
        };
        if let Err(problem) = learned {
            self.tuner.stop();
            self.tell_if_lost(&problem);
            say(&WorkerEvent::Lesson(LessonEvent::Failed(
                problem.to_string(),
            )));
        }
    }

    fn tell_if_lost(&self, problem: &Problem) {
        if let (true, Some(reason)) = (self.compute.webgpu, problem.of_device()) {
            say(&WorkerEvent::DeviceLost(reason));
        }
    }

    async fn answer(&mut self, request: Request) -> Result<JsValue, Problem> {
        match request {
            Request::Start(ask) => {
                self.model = None;
                self.explorer = Explorer::default();
                self.tuner = Tuner::default();
                self.compute = device::choose(ask.device).await;
                reply(&ask, self.compute.describe())
            }
            Request::Load(ask) => {
                // What was computed with the old model is freed before the new one is made.
                self.model = None;
                self.explorer.forget_tokens();
                self.tuner.forget_features();
                let (model, loaded) = model::load(&ask, &self.compute.device)?;
                self.model = Some(model);
                reply(&ask, loaded)
            }
            Request::PaintScene(ask) => reply(&ask, scene(ask)),
            Request::Encode(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                let encoded = self
                    .explorer
                    .encode(&ask, model, &self.compute.device)
                    .await?;
                reply(&ask, encoded)
            }
            Request::Clear(ask) => {
                self.explorer.clear(ask.slot);
                reply(&ask, ())
            }
            Request::Compare(ask) => reply(&ask, self.explorer.similar(ask)?),
            Request::ReadAttention(ask) => reply(&ask, self.explorer.attention()),
            Request::ColorComponents(ask) => reply(&ask, self.explorer.colors(ask)?),
            Request::Cluster(ask) => reply(&ask, self.explorer.parts(ask)?),
            Request::AssignPrototypes(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                reply(
                    &ask,
                    self.explorer
                        .prototypes(model, &self.compute.device)
                        .await?,
                )
            }
            Request::Correspond(ask) => reply(&ask, self.explorer.correspond(ask)?),
            Request::DrawMask(ask) => reply(&ask, self.explorer.random_mask(ask)?),
            Request::Predict(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                let predicted = self
                    .explorer
                    .predict(&ask, model, &self.compute.device)
                    .await?;
                reply(&ask, predicted)
            }
            Request::AddExample(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                self.tuner.add(&ask, model, &self.compute.device).await?;
                reply(&ask, ())
            }
            Request::RemoveExamples(ask) => {
                self.tuner.remove(&ask.ids);
                reply(&ask, ())
            }
            Request::Train(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                self.tuner.train(&ask, model, &self.compute.device).await?;
                reply(&ask, ())
            }
            Request::Pause(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                self.tuner.pause(model, &self.compute.device).await?;
                reply(&ask, ())
            }
            Request::Continue(ask) => {
                self.tuner.go_on();
                reply(&ask, ())
            }
            Request::Classify(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                let probabilities = self
                    .tuner
                    .classify(&ask, model, &self.compute.device)
                    .await?;
                reply(&ask, probabilities)
            }
            Request::ExportModel(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                reply(&ask, Bytes(self.tuner.export(&ask, model).await?))
            }
            Request::PackProject(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                let bytes = self.tuner.pack(&ask, model).await?;
                reply(&ask, Bytes(bytes))
            }
            Request::UnpackProject(ask) => reply(&ask, self.tuner.unpack(&ask)?),
            Request::Restore(ask) => {
                let model = self.model.as_ref().ok_or(Problem::NoModel)?;
                let restored = self
                    .tuner
                    .restore(&ask, model, &self.compute.device)
                    .await?;
                reply(&ask, restored)
            }
            Request::Memory(ask) => reply(&ask, memory()),
        }
    }
}

/// Ties the answer's type to that of its question.
fn reply<A: Ask>(_: &A, answer: A::Answer) -> Result<JsValue, Problem> {
    wire::to_js(&answer).map_err(|error| Problem::Message(error.to_string()))
}

/// Says something unasked.
pub fn say(event: &WorkerEvent) {
    if let Ok(event) = wire::to_js(event) {
        post(&wire::message(0, "event", &event));
    }
}

fn post(message: &JsValue) {
    if let Err(error) = scope().post_message_with_transfer(message, &wire::transfers(message)) {
        web_sys::console::error_1(&error);
    }
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

fn scene(ask: PaintScene) -> Picture {
    let image = scenes::scene(Split::Val, ask.index, ask.size.clamp(1, 1024)).image;
    let rgba = image
        .pixels()
        .chunks_exact(3)
        .flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255])
        .collect();
    Picture {
        width: image.width(),
        height: image.height(),
        rgba: Bytes(rgba),
    }
}

/// The pixels of a picture without its fourth channel.
fn rgb(picture: &Picture) -> Result<RgbImage, Problem> {
    let pixels = picture
        .rgba
        .0
        .chunks_exact(4)
        .flat_map(|rgba| [rgba[0], rgba[1], rgba[2]])
        .collect();
    Ok(RgbImage::new(picture.width, picture.height, pixels)?)
}

/// Bytes of the program's memory, which grows and never shrinks.
fn memory() -> f64 {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    f64::from(
        memory
            .buffer()
            .unchecked_into::<js_sys::ArrayBuffer>()
            .byte_length(),
    )
}
