//! The tab itself: its images and what it shows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use web_sys::{HtmlButtonElement, HtmlCanvasElement};

use super::state::{ExampleImage, Saving, TuneState};
use super::switch::Switch;
use super::webcam::Webcam;
use super::{cards, results};
use crate::page::client::Client;
use crate::page::problem::PageError;
use crate::page::{dom, pictures, status};
use ibot_web::protocol::AddExample;

/// Longest side of an image to learn from, in pixels.
pub const LONGEST: f64 = 256.0;
/// Side of the picture on a card, in pixels.
const THUMB: u32 = 48;

pub struct Tune {
    pub(super) client: Rc<Client>,
    pub(super) state: RefCell<TuneState>,
    pub(super) webcam: Rc<Webcam>,
    /// On while a record button is held.
    pub(super) recording: Switch,
    /// On while the webcam's frames are classified.
    pub(super) live: Switch,
    pub(super) saving: RefCell<Saving>,
    /// Number of scenes that were tried: each time it is another one.
    pub(super) scenes_tried: Cell<usize>,
}

impl Tune {
    pub fn new(client: &Rc<Client>) -> Rc<Self> {
        Rc::new(Self {
            client: client.clone(),
            state: RefCell::default(),
            webcam: Rc::default(),
            recording: Switch::default(),
            live: Switch::default(),
            saving: RefCell::default(),
            scenes_tried: Cell::new(0),
        })
    }

    pub async fn use_model(self: &Rc<Self>) -> Result<(), PageError> {
        // What was learned belongs to the old model.
        self.state.borrow_mut().forget_lesson();
        let mut files = Vec::new();
        for image in &self.state.borrow().images {
            files.push((image.id, image.name.clone(), image.file.clone()));
        }

        // Files are read one by one: all pictures at once would not fit the memory of a small
        // device.
        for (id, name, file) in files {
            let picture = pictures::pixels(&pictures::from_blob(&file, &name).await?)?;
            self.client.ask(AddExample { id, picture }).await?;
        }

        dom::by_id::<HtmlButtonElement>("tune-samples")?.set_disabled(false);
        dom::by_id::<HtmlButtonElement>("tune-scene")?.set_disabled(false);
        self.show()
    }

    pub(super) async fn add(
        self: &Rc<Self>,
        class: usize,
        picture: &HtmlCanvasElement,
        name: &str,
    ) -> Result<(), PageError> {
        // The project keeps the small image: the network sees no more of it.
        let picture = pictures::shrunk(picture, LONGEST)?;
        let thumb = pictures::square(&picture, THUMB)?;
        let file = pictures::png(&picture).await?;

        let id = {
            let mut state = self.state.borrow_mut();
            // The class may have been removed while the file was made.
            if class >= state.classes.len() {
                return Ok(());
            }
            state.last_id += 1;
            let id = state.last_id;
            state.images.push(ExampleImage {
                id,
                class,
                name: name.to_owned(),
                file,
                thumb: thumb.clone(),
            });
            id
        };
        cards::add(&self.state.borrow(), class, id, &thumb)?;

        // Without a model there is nothing to ask; the next model gets all images.
        if self.client.has_model() {
            let picture = pictures::pixels(&picture)?;
            self.client.ask(AddExample { id, picture }).await?;
        }
        self.changed();
        self.show()
    }

    /// The index of the class of this name, which gets a card if it is new.
    pub(super) fn class_named(&self, name: &str) -> Result<usize, PageError> {
        let before = self.state.borrow().classes.len();
        let class = self.state.borrow_mut().class_named(name);
        if class == before {
            cards::show(&self.state.borrow())?;
        }
        Ok(class)
    }

    /// Draws the lesson again. An error is shown in the status line.
    pub fn draw(&self) {
        status::report(self.show());
    }

    pub(super) fn show(&self) -> Result<(), PageError> {
        let lesson = self.lesson()?;
        results::show(&self.state.borrow(), &lesson, self.client.has_model())
    }
}
