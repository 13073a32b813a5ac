//! The images of both slots and their tokens.

use std::rc::Rc;

use web_sys::HtmlCanvasElement;

use super::Explore;
use super::paint::Answer;
use crate::page::problem::PageError;
use crate::page::{pictures, status};
use ibot_web::protocol::{Clear, Encode, Encoded, PerSlot, SLOTS};

/// An image in a slot.
pub struct View {
    /// What it looks like.
    pub picture: HtmlCanvasElement,
    /// What it is called.
    pub name: String,
    /// Its patches, once it has tokens.
    pub grid: Option<Encoded>,
}

impl Explore {
    /// The slot that the next image goes to.
    pub fn active(&self) -> usize {
        self.state.borrow().active
    }

    /// Lets the next image go to this slot.
    pub fn activate(&self, slot: usize) {
        self.state.borrow_mut().active = slot.min(SLOTS - 1);
    }

    /// Lets the next image go to where something was dropped, in pixels of the window.
    pub fn drop_at(&self, x: f64, y: f64) {
        let place = self.stage.canvas().get_bounding_client_rect();
        self.activate(self.stage.slot_at(x - place.left(), y - place.top()));
    }

    /// Shows an image.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub async fn show(
        self: &Rc<Self>,
        slot: usize,
        picture: HtmlCanvasElement,
        name: &str,
    ) -> Result<(), PageError> {
        {
            let mut state = self.state.borrow_mut();
            state.views[slot] = Some(View {
                picture,
                name: name.to_owned(),
                grid: None,
            });
            state.answer = Answer::None;
            state.masks[slot].clear();
            state.active = (slot + 1) % SLOTS;
        }
        self.encode(slot).await?;
        self.ask();
        Ok(())
    }

    /// Empties a slot.
    ///
    /// # Errors
    /// If the worker is gone.
    pub async fn clear(self: &Rc<Self>, slot: usize) -> Result<(), PageError> {
        {
            let mut state = self.state.borrow_mut();
            state.views[slot] = None;
            state.answer = Answer::None;
            state.masks[slot].clear();
            state.active = slot;
            if state.cursor.is_some_and(|(at, _)| at == slot) {
                state.cursor = None;
            }
        }
        self.app.ask(Clear { slot }).await?;
        self.ask();
        Ok(())
    }

    /// Empties both slots of the page; to be called when the worker is a new one.
    pub fn forget_images(&self) {
        let mut state = self.state.borrow_mut();
        state.views = PerSlot::default();
        state.answer = Answer::None;
        state.masks = Default::default();
        state.cursor = None;
    }

    /// Has the worker compute the tokens of both images.
    pub(super) async fn encode_all(self: &Rc<Self>) -> Result<(), PageError> {
        self.state.borrow_mut().answer = Answer::None;
        for slot in 0..SLOTS {
            self.encode(slot).await?;
        }
        self.ask();
        Ok(())
    }

    /// Has the worker compute an image's tokens.
    async fn encode(&self, slot: usize) -> Result<(), PageError> {
        let Some(picture) = self.state.borrow().views[slot]
            .as_ref()
            .map(|view| view.picture.clone())
        else {
            return Ok(());
        };
        self.draw();
        if self.app.model().is_none() {
            return Ok(());
        }
        status::say("Computing tokens…");
        let (shorter, block) = (self.controls.shorter(), self.controls.block());
        let ask = Encode {
            slot,
            picture: Some(pictures::pixels(&picture)?),
            shorter,
            block,
        };
        let encoded = self.app.ask(ask).await?;
        let mut state = self.state.borrow_mut();
        let count = encoded.rows * encoded.columns;
        // A newer image may have come meanwhile; its own answer follows.
        if let Some(view) = state.views[slot]
            .as_mut()
            .filter(|view| view.picture == picture)
        {
            view.grid = Some(encoded);
            status::say(&format!(
                "{}: {} x {} patches in {:.2} s",
                view.name,
                encoded.rows,
                encoded.columns,
                encoded.milliseconds / 1000.0
            ));
        }
        if state.masks[slot].len() != count {
            state.masks[slot] = vec![false; count];
        }
        let outside = state
            .cursor
            .is_some_and(|(at, patch)| at == slot && patch >= count);
        if outside || state.cursor.is_none() {
            state.cursor = Some((
                slot,
                encoded.rows / 2 * encoded.columns + encoded.columns / 2,
            ));
        }
        Ok(())
    }
}
