//! Questions about learning classes from images.
//!
//! The page has names and labels, the worker has pixels and features. The page gives each image a
//! number, which both use.

use serde::{Deserialize, Serialize};

use super::Picture;
use crate::wire::Bytes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TuneMode {
    /// Trains a linear head on features that are computed once.
    Linear,
    /// Trains nothing: the nearest labelled images vote.
    Knn,
    /// Trains low-rank changes of all blocks, and the head.
    Lora,
    /// Trains the last blocks, and the head.
    LastBlocks,
    /// Trains the whole backbone by iBOT's objective, without labels.
    Adapt,
}

/// Gives an image to learn from. The worker computes its feature.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddExample {
    pub id: u32,
    pub picture: Picture,
}

/// Takes images back. The lesson is forgotten: it may have learned from them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoveExamples {
    pub ids: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleLabel {
    pub id: u32,
    /// Counted from 0.
    pub class: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    pub mode: TuneMode,
    pub labels: Vec<ExampleLabel>,
    pub classes: usize,
    pub steps: usize,
}

/// Begins a lesson. An earlier one is forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Train {
    pub lesson: Lesson,
    /// The model's file, from which [`TuneMode::Adapt`] starts.
    pub file: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pause;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Continue;

/// What the worker reports of a lesson.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum LessonEvent {
    /// The steps since the last such event, in order.
    Stepped(Vec<LessonStep>),
    /// The lesson was interrupted or is complete.
    Judged(LessonResult),
    Failed(String),
}

/// A step, as measured on its own images before it changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LessonStep {
    /// Counted from 1.
    pub number: usize,
    /// The objective; cross-entropy in nats where there are classes.
    pub loss: f64,
    /// Share of images whose class was found; `None` without labels.
    pub accuracy: Option<f64>,
    /// Loss and accuracy on the validation images after the step, if they were measured.
    pub validation: Option<(f64, f64)>,
}

/// The result of a lesson on the validation images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LessonResult {
    pub images: usize,
    /// Share of images whose class was found; `None` without images or classes.
    pub accuracy: Option<f64>,
    /// The share without the lesson, and by which method.
    pub before: Option<(f64, String)>,
    /// For each true class, row by row, how many images were taken for each class.
    pub confusion: Vec<usize>,
    pub step: usize,
    /// Time of these steps in this session.
    pub seconds: f64,
    pub complete: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Classify {
    pub picture: Picture,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportModel {
    pub classes: Vec<String>,
}

/// An image of a project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredImage {
    /// Its number; in a file, its position.
    pub id: u32,
    pub name: String,
    pub class: Option<usize>,
    pub bytes: Bytes,
}

/// Puts everything into one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackProject {
    pub classes: Vec<String>,
    pub images: Vec<StoredImage>,
    pub model: String,
}

/// Reads such a file. The worker keeps the lesson in it for [`Restore`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnpackProject {
    pub bytes: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unpacked {
    pub classes: Vec<String>,
    pub images: Vec<StoredImage>,
    /// Name of the model that it was made with.
    pub model: String,
}

/// Restores the lesson of the last [`UnpackProject`] at its step. Its images must be added first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Restore {
    pub labels: Vec<ExampleLabel>,
    pub classes: usize,
    pub file: Option<Bytes>,
}
