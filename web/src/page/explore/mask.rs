//! Patches that are hidden from the student: painted by hand, or drawn as in pre-training.

use std::rc::Rc;

use super::controls::ExploreMode;
use super::state::Cursor;
use super::tab::Explore;
use crate::page::problem::PageError;
use ibot_web::protocol::DrawMask;

impl Explore {
    /// Whether predictions are wanted and no patch is hidden yet.
    pub(super) fn needs_mask(&self) -> bool {
        let state = self.state.borrow();
        let encoded = state.grids().iter().any(Option::is_some);
        self.controls.mode() == ExploreMode::Predict && encoded && !state.hides_any()
    }

    /// Hides random blocks of the image under the cursor, as in pre-training.
    pub(super) async fn draw_random_mask(self: Rc<Self>) -> Result<(), PageError> {
        let (slot, seed) = {
            let mut state = self.state.borrow_mut();
            // Each time it is another mask.
            state.seed = state.seed.wrapping_add(1);
            state.masked = state.cursor.map_or(0, |cursor| cursor.slot);
            (state.masked, state.seed)
        };

        let ratio = self.controls.ratio();
        let mask = self.client.ask(DrawMask { slot, ratio, seed }).await?;
        self.state.borrow_mut().masks[slot] = mask.0.iter().map(|cell| *cell == 1).collect();
        self.ask();
        Ok(())
    }

    pub(super) async fn clear_mask(self: Rc<Self>) -> Result<(), PageError> {
        for mask in &mut self.state.borrow_mut().masks {
            mask.fill(false);
        }
        self.ask();
        Ok(())
    }

    pub(super) fn paint_mask(self: &Rc<Self>, at: Cursor, hide: bool) {
        let mut state = self.state.borrow_mut();
        state.masked = at.slot;
        if let Some(cell) = state.masks[at.slot].get_mut(at.patch) {
            *cell = hide;
        }
        // `ask` borrows the state again.
        drop(state);
        self.ask();
    }
}
