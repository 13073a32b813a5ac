//! The sample set: builtin scenes of two classes.

use std::rc::Rc;

use super::tab::Tune;
use crate::page::problem::PageError;
use crate::page::{events, pictures, status};
use ibot_web::protocol::{PaintScene, Picture};

/// The first scene of each class.
const CLASSES: [(usize, &str); 2] = [(3, "fish"), (0, "house")];
/// Scenes from one of a class to its next one.
const PERIOD: usize = 10;
/// Images of each class.
const EACH: usize = 20;
/// Side of a scene in pixels.
const SIZE: usize = 128;

pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    events::on_click("tune-samples", tune, Tune::add_samples)?;
    events::on_click("tune-scene", tune, Tune::try_scene)
}

impl Tune {
    async fn add_samples(self: Rc<Self>) -> Result<(), PageError> {
        for (first, name) in CLASSES {
            let class = self.class_named(name)?;
            for n in 0..EACH {
                let scene = self.paint(first + PERIOD * n).await?;
                let picture = pictures::from_pixels(&scene)?;
                self.add(class, &picture, &format!("{name} {}", n + 1))
                    .await?;
            }
        }
        status::say("The sample set is here; now train.");
        Ok(())
    }

    /// Classifies a scene that is not in the sample set.
    async fn try_scene(self: Rc<Self>) -> Result<(), PageError> {
        let tried = self.scenes_tried.replace(self.scenes_tried.get() + 1);
        let (first, _) = CLASSES[tried % CLASSES.len()];

        let scene = self.paint(first + PERIOD * (EACH + tried)).await?;
        self.try_picture(&pictures::from_pixels(&scene)?).await
    }

    async fn paint(&self, index: usize) -> Result<Picture, PageError> {
        self.client.ask(PaintScene { index, size: SIZE }).await
    }
}
