//! ibot in a browser tab: explore what patch tokens know, and fine-tune, on WebGPU or the CPU.
//!
//! Two programs. `page` shows and asks; `worker` holds burn, the networks and the images, and
//! answers. They share this library, `protocol` above all, so that a question and its answer are
//! typed on both sides, and nothing else: what the page does not name is not in its download.
#![cfg(target_family = "wasm")]
#![allow(missing_docs)]

pub mod js;
pub mod protocol;
pub mod webgpu;
pub mod wire;
