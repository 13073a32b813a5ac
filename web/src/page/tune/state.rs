//! What the person has made: classes, images, and the lesson if there is one.

use web_sys::{Blob, HtmlCanvasElement};

use ibot_web::protocol::{Label, Lesson, Outcome, Point, TuneMode};

/// Classes, images and what is learned from them.
#[derive(Default)]
pub struct State {
    /// Names.
    pub classes: Vec<String>,
    /// All images in the order in which they came.
    pub images: Vec<Image>,
    /// Number of the newest image.
    pub last: u32,
    /// The class that gets what is dropped or pasted beside the classes.
    pub active: usize,
    /// What is or was learned.
    pub lesson: Option<Lesson>,
    /// How far it is.
    pub phase: Phase,
    /// Its steps.
    pub points: Vec<Point>,
    /// What it came to.
    pub outcome: Option<Outcome>,
}

/// An image of a class.
pub struct Image {
    /// What the worker knows it by.
    pub id: u32,
    /// Its class.
    pub class: usize,
    /// Name of its file.
    pub name: String,
    /// The image without loss, so that a lesson goes on alike after a reload.
    pub file: Blob,
    /// A small picture.
    pub thumb: HtmlCanvasElement,
}

/// How far a lesson is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    #[default]
    Idle,
    /// It goes on.
    Running,
    /// It can go on.
    Paused,
    /// All steps are taken.
    Done,
}

impl State {
    /// The class of this name; a new one if there is none.
    pub fn class_named(&mut self, name: &str) -> usize {
        let known = self.classes.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.classes.push(name.to_owned());
            self.classes.len() - 1
        })
    }

    /// A new class with the first name that is free.
    pub fn new_class(&mut self) -> usize {
        let names = (1..).map(|n| format!("class {n}"));
        let name = names
            .into_iter()
            .find(|name| !self.classes.contains(name))
            .unwrap_or_default();
        self.active = self.class_named(&name);
        self.active
    }

    /// Takes a class and its images away, and gives the images' numbers.
    pub fn remove_class(&mut self, class: usize) -> Vec<u32> {
        let (gone, kept): (Vec<Image>, Vec<Image>) = self
            .images
            .drain(..)
            .partition(|image| image.class == class);
        self.images = kept;
        self.images
            .iter_mut()
            .filter(|image| image.class > class)
            .for_each(|image| image.class -= 1);
        self.classes.remove(class);
        self.active = self.active.min(self.classes.len().saturating_sub(1));
        self.forget_lesson();
        gone.into_iter().map(|image| image.id).collect()
    }

    /// Images of a class.
    pub fn count(&self, class: usize) -> usize {
        self.images
            .iter()
            .filter(|image| image.class == class)
            .count()
    }

    /// What there is to learn.
    pub fn labels(&self) -> Vec<Label> {
        self.images
            .iter()
            .map(|image| Label {
                id: image.id,
                class: image.class,
            })
            .collect()
    }

    /// There is no lesson any more.
    pub fn forget_lesson(&mut self) {
        self.lesson = None;
        self.phase = Phase::Idle;
        self.points.clear();
        self.outcome = None;
    }

    /// Whether `lesson` is the one that was stopped, and no other.
    pub fn can_continue(&self, lesson: &Lesson) -> bool {
        self.phase == Phase::Paused && self.lesson.as_ref() == Some(lesson)
    }
}

/// The mode of this value in the form.
pub fn mode_of(value: &str) -> TuneMode {
    MODES
        .into_iter()
        .find(|(_, known, ..)| *known == value)
        .map_or(TuneMode::Linear, |(mode, ..)| mode)
}

/// Its value in the form, its usual number of steps, and what it does.
pub fn about(mode: TuneMode) -> (&'static str, usize, &'static str) {
    let [first, ..] = MODES;
    let (_, value, steps, about) = MODES
        .into_iter()
        .find(|(known, ..)| *known == mode)
        .unwrap_or(first);
    (value, steps, about)
}

const MODES: [(TuneMode, &str, usize, &str); 5] = [
    (
        TuneMode::Linear,
        "linear",
        100,
        "A linear classifier on features that are computed once.",
    ),
    (
        TuneMode::Knn,
        "knn",
        1,
        "The 10 nearest images vote; nothing to train.",
    ),
    (
        TuneMode::Lora,
        "lora",
        100,
        "Back-propagation into low-rank changes of all blocks.",
    ),
    (
        TuneMode::LastBlocks,
        "last-blocks",
        100,
        "Back-propagation into the last two blocks.",
    ),
    (
        TuneMode::Adapt,
        "adapt",
        300,
        "iBOT itself goes on with your images: student, teacher and masks. Labels only serve to compare.",
    ),
];
