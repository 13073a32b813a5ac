//! Learning classes from images.
//!
//! The page knows names and labels, the worker pixels and features; numbers that the page gives tie
//! them together.

use serde::{Deserialize, Serialize};

use super::Picture;
use crate::wire::Bytes;

/// What learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TuneMode {
    /// A linear head on cached features.
    Linear,
    /// Nothing: the nearest labelled images vote.
    Knn,
    /// Low-rank changes of all blocks, and the head.
    Lora,
    /// The last blocks, and the head.
    LastBlocks,
    /// The whole backbone, by iBOT's objective, without labels.
    Adapt,
}

/// Gives an image to learn from, and has its feature computed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddExample {
    /// Its number.
    pub id: u32,
    /// Its pixels.
    pub picture: Picture,
}

/// Takes images back. The lesson is forgotten: it may have learned from them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoveExamples {
    /// Their numbers.
    pub ids: Vec<u32>,
}

/// The class of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The image's number.
    pub id: u32,
    /// Its class, counted from 0.
    pub class: usize,
}

/// What is to be learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// How.
    pub mode: TuneMode,
    /// From which images.
    pub labels: Vec<Label>,
    /// Number of classes.
    pub classes: usize,
    /// Steps to take.
    pub steps: usize,
}

/// Begins a lesson; what was learned before is forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Train {
    /// What.
    pub lesson: Lesson,
    /// The model's file, which [`TuneMode::Adapt`] starts from.
    pub file: Option<Bytes>,
}

/// Stops learning.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pause;

/// Goes on from where it stopped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Continue;

/// A step: its number from 1, and what it measured on its images before it changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its number.
    pub step: usize,
    /// The objective; cross-entropy in nats where there are classes.
    pub loss: f64,
    /// Share of images whose class was found; `None` without labels.
    pub accuracy: Option<f64>,
    /// The same two on the validation images after the step, where it was looked at.
    pub validation: Option<(f64, f64)>,
}

/// What a lesson came to, on the validation images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// How many there are.
    pub images: usize,
    /// Share of images whose class was found; `None` without images or classes.
    pub accuracy: Option<f64>,
    /// The same without the lesson, and how.
    pub before: Option<(f64, String)>,
    /// Images of each class taken for each class, a row for each true class.
    pub confusion: Vec<usize>,
    /// Steps taken.
    pub step: usize,
    /// Seconds that they took.
    pub seconds: f64,
    /// Whether all steps are taken.
    pub done: bool,
}

/// Asks for the probability of each class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Classify {
    /// The image.
    pub picture: Picture,
}

/// Asks for the tuned model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportModel {
    /// The classes' names.
    pub classes: Vec<String>,
}

/// An image of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredImage {
    /// Its number; in a file its place.
    pub id: u32,
    /// Name of its file.
    pub name: String,
    /// Its class.
    pub class: Option<usize>,
    /// The encoded image.
    pub bytes: Bytes,
}

/// Puts everything into one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackProject {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The images.
    pub images: Vec<StoredImage>,
    /// Name of the model.
    pub model: String,
}

/// Reads such a file. What it has learned waits for [`Restore`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnpackProject {
    /// The file.
    pub bytes: Bytes,
}

/// What a file holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unpacked {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The images.
    pub images: Vec<StoredImage>,
    /// Name of the model it was made with.
    pub model: String,
}

/// Makes the lesson of the last [`UnpackProject`] again, at the step where it was, from images that
/// are there by now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Restore {
    /// The labels.
    pub labels: Vec<Label>,
    /// Number of classes.
    pub classes: usize,
    /// The model's file.
    pub file: Option<Bytes>,
}
