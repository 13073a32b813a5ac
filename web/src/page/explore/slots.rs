//! The images of both slots and their tokens.

use std::rc::Rc;

use web_sys::HtmlCanvasElement;

use super::state::{Analysis, Cursor, OpenImage};
use super::tab::Explore;
use crate::page::problem::PageError;
use crate::page::{pictures, status};
use ibot_web::protocol::{Clear, Encode, Encoded, PerSlot, SLOTS};

impl Explore {
    /// The slot that the next image goes to.
    pub fn active(&self) -> usize {
        self.state.borrow().active
    }

    pub fn activate(&self, slot: usize) {
        self.state.borrow_mut().active = slot.min(SLOTS - 1);
    }

    /// Makes the slot active that is nearest to a point, in pixels of the window.
    pub fn activate_at(&self, x: f64, y: f64) {
        let place = self.stage.canvas().get_bounding_client_rect();
        self.activate(self.stage.slot_at(x - place.left(), y - place.top()));
    }

    pub async fn show(
        self: &Rc<Self>,
        slot: usize,
        picture: HtmlCanvasElement,
        name: &str,
    ) -> Result<(), PageError> {
        let image = OpenImage {
            picture,
            name: name.to_owned(),
            grid: None,
        };
        {
            let mut state = self.state.borrow_mut();
            state.images[slot] = Some(image);
            // It was of the old image.
            state.analysis = Analysis::None;
            state.masks[slot].clear();
            // The next image goes beside this one.
            state.active = (slot + 1) % SLOTS;
        }

        self.encode(slot).await?;
        self.ask();
        Ok(())
    }

    pub async fn clear(self: &Rc<Self>, slot: usize) -> Result<(), PageError> {
        {
            let mut state = self.state.borrow_mut();
            state.images[slot] = None;
            state.analysis = Analysis::None;
            state.masks[slot].clear();
            state.active = slot;
            state.cursor = state.cursor.filter(|cursor| cursor.slot != slot);
        }

        self.client.ask(Clear { slot }).await?;
        self.ask();
        Ok(())
    }

    pub fn forget_images(&self) {
        // Without a question to the worker, which must be a new one.
        let mut state = self.state.borrow_mut();
        state.images = PerSlot::default();
        state.analysis = Analysis::None;
        state.masks = Default::default();
        state.cursor = None;
    }

    pub(super) async fn encode_all(self: &Rc<Self>) -> Result<(), PageError> {
        self.state.borrow_mut().analysis = Analysis::None;
        for slot in 0..SLOTS {
            self.encode(slot).await?;
        }
        self.ask();
        Ok(())
    }

    async fn encode(&self, slot: usize) -> Result<(), PageError> {
        let picture = match &self.state.borrow().images[slot] {
            Some(image) => image.picture.clone(),
            None => return Ok(()),
        };
        // The image is shown before its tokens are there.
        self.draw();
        if !self.client.has_model() {
            return Ok(());
        }

        status::say("Computing tokens…");
        let question = Encode {
            slot,
            picture: Some(pictures::pixels(&picture)?),
            shorter: self.controls.shorter(),
            block: self.controls.block(),
        };
        let encoded = self.client.ask(question).await?;
        self.take_grid(slot, &picture, encoded);
        Ok(())
    }

    fn take_grid(&self, slot: usize, picture: &HtmlCanvasElement, grid: Encoded) {
        let mut state = self.state.borrow_mut();
        let count = grid.rows * grid.columns;

        // The slot may hold a newer image by now; that one gets an answer of its own.
        if let Some(image) = &mut state.images[slot]
            && image.picture == *picture
        {
            image.grid = Some(grid);
            status::say(&format!(
                "{}: {} x {} patches in {:.2} s",
                image.name,
                grid.rows,
                grid.columns,
                grid.milliseconds / 1000.0
            ));
        }
        // With the same number of patches a mask survives another model or block.
        if state.masks[slot].len() != count {
            state.masks[slot] = vec![false; count];
        }

        // A cursor that is not on any patch goes to the middle of this image.
        let stays = |cursor: Cursor| cursor.slot != slot || cursor.patch < count;
        if !state.cursor.is_some_and(stays) {
            let patch = grid.rows / 2 * grid.columns + grid.columns / 2;
            state.cursor = Some(Cursor { slot, patch });
        }
    }
}
