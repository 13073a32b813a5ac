//! The state of the tab: classes, images, and the lesson if there is one.

use web_sys::{Blob, HtmlCanvasElement};

use super::switch::Lease;
use ibot_web::protocol::{ExampleLabel, Lesson, LessonResult, LessonStep};

#[derive(Default)]
pub struct TuneState {
    pub classes: Vec<String>,
    /// In the order in which they were added.
    pub images: Vec<ExampleImage>,
    /// Number of the newest image.
    pub last_id: u32,
    /// The class that gets images that are put beside the classes.
    pub active: usize,
    /// The last lesson, whether or not it is complete.
    pub lesson: Option<Lesson>,
    pub phase: LessonPhase,
    pub steps: Vec<LessonStep>,
    pub outcome: Option<LessonResult>,
}

/// An image to learn from.
pub struct ExampleImage {
    /// Its number, also in the worker.
    pub id: u32,
    pub class: usize,
    pub name: String,
    /// As PNG: a lossy file would change the image with every reload, and so the lesson.
    pub file: Blob,
    pub thumb: HtmlCanvasElement,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LessonPhase {
    /// There is no lesson.
    #[default]
    Idle,
    Running,
    /// Steps are left.
    Paused,
    Complete,
}

/// How the browser's copy stands to the project.
#[derive(Default)]
pub enum Saving {
    #[default]
    Saved,
    /// The project changed. It is saved if this turn lasts for a while; the next change begins
    /// another turn.
    Changed { _turn: Lease },
    /// Another project is being opened. Incomplete, it is not worth saving.
    Opening,
}

impl TuneState {
    /// The index of the class of this name, which is added if there is none.
    pub fn class_named(&mut self, name: &str) -> usize {
        match self.classes.iter().position(|class| class == name) {
            Some(class) => class,
            None => {
                self.classes.push(name.to_owned());
                self.classes.len() - 1
            }
        }
    }

    /// Adds a class under the first free name, and makes it active.
    pub fn add_class(&mut self) -> usize {
        let mut n = 1;
        while self.classes.contains(&format!("class {n}")) {
            n += 1;
        }
        self.active = self.class_named(&format!("class {n}"));
        self.active
    }

    /// Returns the numbers of its images.
    pub fn remove_class(&mut self, class: usize) -> Vec<u32> {
        let mut removed = Vec::new();
        self.images.retain(|image| {
            if image.class == class {
                removed.push(image.id);
            }
            image.class != class
        });

        // Classes behind it move up.
        for image in &mut self.images {
            if image.class > class {
                image.class -= 1;
            }
        }
        self.classes.remove(class);
        // The active class may have been the last one.
        self.active = self.active.min(self.classes.len().saturating_sub(1));

        self.forget_lesson();
        removed
    }

    pub fn count(&self, class: usize) -> usize {
        let images = self.images.iter();
        images.filter(|image| image.class == class).count()
    }

    pub fn labels(&self) -> Vec<ExampleLabel> {
        let mut labels = Vec::with_capacity(self.images.len());
        for ExampleImage { id, class, .. } in &self.images {
            labels.push(ExampleLabel {
                id: *id,
                class: *class,
            });
        }
        labels
    }

    pub fn forget_lesson(&mut self) {
        self.lesson = None;
        self.phase = LessonPhase::Idle;
        self.steps.clear();
        self.outcome = None;
    }

    /// Whether `lesson` is the one that was paused.
    pub fn can_continue(&self, lesson: &Lesson) -> bool {
        self.phase == LessonPhase::Paused && self.lesson.as_ref() == Some(lesson)
    }
}
