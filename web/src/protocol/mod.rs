//! The questions of the page, the worker's answers, and its events.

mod explore;
mod tune;

use serde::{Deserialize, Serialize};

use crate::wire::Bytes;
pub use explore::*;
pub use tune::*;

/// A question, and the type of its answer.
pub trait Ask: Into<Request> {
    type Answer: Serialize + for<'de> Deserialize<'de>;
}

/// Declares [`Request`] and [`match_request`](crate::match_request), and ties each question to its
/// answer.
macro_rules! asks {
    ($($(#[$doc:meta])* $ask:ident -> $answer:ty;)*) => {
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum Request { $($(#[$doc])* $ask($ask)),* }
        $(
            impl From<$ask> for Request {
                fn from(ask: $ask) -> Self { Self::$ask(ask) }
            }
            impl Ask for $ask { type Answer = $answer; }
        )*

        /// `match_request!(request, ask => answer)` gives `answer` for the question in `request`,
        /// whose type is another one in each arm.
        #[macro_export]
        macro_rules! match_request {
            ($request:expr, $question:ident => $result:expr) => {
                match $request {
                    $($crate::protocol::Request::$ask($question) => $result),*
                }
            };
        }
    };
}

asks! {
    /// The first question: which device computes?
    Start -> Started;
    Load -> ModelInfo;
    PaintScene -> Picture;
    Encode -> Encoded;
    Clear -> ();
    Compare -> SimilarMaps;
    ReadAttention -> PerSlot<AttentionMaps>;
    ColorComponents -> ColorMaps;
    ClusterPatches -> ClusterMaps;
    AssignPrototypes -> PrototypeMaps;
    Correspond -> Vec<Pair>;
    /// One byte a patch: 1 for a hidden one, else 0.
    DrawMask -> Bytes;
    Predict -> Predicted;
    AddExample -> ();
    RemoveExamples -> ();
    Train -> ();
    Pause -> ();
    Continue -> ();
    /// The probability of each class.
    Classify -> Vec<f32>;
    /// A safetensors file.
    ExportModel -> Bytes;
    /// A safetensors file.
    PackProject -> Bytes;
    UnpackProject -> Unpacked;
    /// The lesson, if the project had learned something.
    Restore -> Option<Lesson>;
    /// Bytes of the worker's memory.
    Memory -> f64;
}

/// What the worker sends without a question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum WorkerEvent {
    Ready,
    /// What it is doing, for the person.
    Progress(String),
    Lesson(LessonEvent),
    /// Nothing can be computed on the device any more.
    DeviceLost(String),
    /// The program broke off; another worker is needed.
    Panicked(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DevicePreference {
    /// WebGPU if it is hardware and passes the test, else the CPU.
    #[default]
    Auto,
    Cpu,
    /// WebGPU, also in software, if it passes the test.
    WebGpu,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Start {
    pub device: DevicePreference,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    pub webgpu: bool,
    pub name: String,
    pub why: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    pub name: String,
    /// A safetensors or `.pth` file.
    pub bytes: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelInfo {
    pub name: String,
    /// The network in words.
    pub network: String,
    /// Which tensors of the file were used.
    pub report: String,
    /// Side of a patch in pixels.
    pub patch: usize,
    pub depth: usize,
    pub heads: usize,
    /// Side of the images it was trained with, in pixels.
    pub image_size: usize,
    /// Patch prototypes of its head, if it has one.
    pub prototypes: Option<usize>,
    /// Whether it can predict masked patches: it has a head and a mask token.
    pub predicts: bool,
}

/// An image of 8 bits a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    /// Four bytes a pixel, row by row; the fourth is ignored.
    pub rgba: Bytes,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PaintScene {
    pub index: usize,
    /// Its side in pixels.
    pub size: usize,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Memory;
