//! Answers to questions that belong to no tab: device, model, scenes, memory.

use std::rc::Rc;

use ibot_core::scenes::{self, Split};
use wasm_bindgen::JsCast;

use super::answer::Answer;
use super::explore::slots::Slots;
use super::problem::Problem;
use super::state::WorkerState;
use super::tune::tuner::Tuner;
use super::{device, model, picture};
use ibot_web::protocol::{Load, Memory, ModelInfo, PaintScene, Picture, Start, Started};

/// Largest side of a scene in pixels.
const LARGEST: usize = 1024;

impl Answer for Start {
    async fn answer(self, worker: &mut WorkerState) -> Result<Started, Problem> {
        // All tensors are on the old device.
        worker.model = None;
        worker.slots = Slots::default();
        worker.tuner = Tuner::default();

        worker.compute = device::choose(self.device).await;
        Ok(worker.compute.describe())
    }
}

impl Answer for Load {
    async fn answer(self, worker: &mut WorkerState) -> Result<ModelInfo, Problem> {
        // Everything of the old model is freed before there is a new one.
        worker.model = None;
        worker.slots.forget_tokens();
        worker.tuner.forget_features();

        let (model, info) = model::load(&self, &worker.compute.device)?;
        worker.model = Some(Rc::new(model));
        Ok(info)
    }
}

impl Answer for PaintScene {
    async fn answer(self, _: &mut WorkerState) -> Result<Picture, Problem> {
        let scene = scenes::scene(Split::Val, self.index, self.size.clamp(1, LARGEST));
        Ok(picture::from_rgb(&scene.image))
    }
}

impl Answer for Memory {
    async fn answer(self, _: &mut WorkerState) -> Result<f64, Problem> {
        // It grows and never shrinks.
        let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
        let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
        Ok(f64::from(buffer.byte_length()))
    }
}
