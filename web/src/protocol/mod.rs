//! What the page asks and what the worker answers.

mod explore;
mod tune;

use serde::{Deserialize, Serialize};

use crate::wire::Bytes;
pub use explore::*;
pub use tune::*;

/// A question, and the type of its answer.
pub trait Ask: Into<Request> {
    /// What the worker gives back.
    type Answer: Serialize + for<'de> Deserialize<'de>;
}

/// Declares [`Request`] and ties each question to its answer.
macro_rules! asks {
    ($($(#[$doc:meta])* $ask:ident -> $answer:ty;)*) => {
        /// All questions.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum Request { $($(#[$doc])* $ask($ask)),* }
        $(
            impl From<$ask> for Request {
                fn from(ask: $ask) -> Self { Self::$ask(ask) }
            }
            impl Ask for $ask { type Answer = $answer; }
        )*
    };
}

asks! {
    /// The first question: on which device?
    Start -> Started;
    /// Another model.
    Load -> Loaded;
    /// A builtin scene.
    Scene -> Picture;
    /// Tokens of an image.
    Encode -> Encoded;
    /// Forget an image.
    Clear -> ();
    /// How alike patches are to one.
    Similar -> SimilarMaps;
    /// Where CLS looks.
    Attention -> PerSlot<AttentionMaps>;
    /// Principal components as colors.
    Colors -> ColorMaps;
    /// Clusters of patches.
    Parts -> PartMaps;
    /// What the online tokenizer says.
    Prototypes -> PrototypeMaps;
    /// Which patches belong together.
    Correspond -> Vec<Pair>;
    /// A random mask.
    RandomMask -> Bytes;
    /// Mask and predict.
    Predict -> Predicted;
    /// An image to learn from.
    AddExample -> ();
    /// Images that are not to be learned from any more.
    RemoveExamples -> ();
    /// Begins to learn.
    Train -> ();
    /// Stops learning, and keeps all of it.
    Pause -> ();
    /// Goes on learning.
    Continue -> ();
    /// What a picture shows.
    Classify -> Vec<f32>;
    /// The tuned model as a file.
    ExportModel -> Bytes;
    /// The project as a file.
    PackProject -> Bytes;
    /// A project out of a file.
    UnpackProject -> Unpacked;
    /// Goes back to what a file's project had learned.
    Restore -> Option<Lesson>;
    /// How much memory the worker holds.
    Memory -> f64;
}

/// What the worker says unasked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// It listens.
    Ready,
    /// What it is doing.
    Progress(String),
    /// Steps of learning since the last such message, in order.
    Stepped(Vec<Point>),
    /// What was learned.
    Judged(Outcome),
    /// Learning failed, and stopped.
    TuneFailed(String),
    /// The device is gone; nothing more can be computed on it.
    DeviceLost(String),
    /// The program broke off; a new worker is needed.
    Panicked(String),
}

/// Which device to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceChoice {
    /// WebGPU if it is hardware and passes the test, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// WebGPU, also in software, if it passes the test.
    WebGpu,
}

/// Chooses and tests the device.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Start {
    /// Which one to try.
    pub device: DeviceChoice,
}

/// What computes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Started {
    /// Whether it is WebGPU.
    pub webgpu: bool,
    /// Name of the device.
    pub name: String,
    /// Why this one.
    pub why: String,
    /// The colors of everything.
    pub colors: Colorings,
}

/// The project's color scales and kinds, so that pictures of the page and of the command line look
/// alike.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Colorings {
    /// Scales from low to high: a name, and 256 colors of three bytes.
    pub scales: Vec<(String, Bytes)>,
    /// Colors of kinds, three bytes each.
    pub kinds: Bytes,
}

/// Replaces the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// Name of the file.
    pub name: String,
    /// A safetensors or `.pth` file.
    pub bytes: Bytes,
}

/// The model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Loaded {
    /// Name of the file.
    pub name: String,
    /// The network in words.
    pub network: String,
    /// What became of the file's tensors.
    pub report: String,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads of a block.
    pub heads: usize,
    /// Image size it was trained at.
    pub image_size: usize,
    /// Patch prototypes of its head, if it has one.
    pub prototypes: Option<usize>,
    /// Whether it can predict masked patches: it has a head and a mask token.
    pub predicts: bool,
}

/// An image of 8 bits a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Four bytes a pixel; the fourth is ignored.
    pub rgba: Bytes,
}

/// Paints a builtin scene.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Scene {
    /// Which one.
    pub index: usize,
    /// Its side in pixels.
    pub size: usize,
}

/// Asks for the bytes of the worker's memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Memory;
