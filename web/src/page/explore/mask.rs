//! Which patches the student does not see: painted, or drawn as in pre-training.

use std::rc::Rc;

use ibot_web::protocol::RandomMask;

use super::Explore;
use super::controls::Mode;
use crate::page::problem::PageError;

impl Explore {
    /// Whether there is nothing to predict yet.
    pub(super) fn needs_mask(&self) -> bool {
        let state = self.state.borrow();
        let encoded = state.views.iter().flatten().any(|view| view.grid.is_some());
        self.controls.mode() == Mode::Predict
            && encoded
            && !state.masks.iter().flatten().any(|hidden| *hidden)
    }

    /// Hides patches at random, as in pre-training.
    ///
    /// # Errors
    /// If the worker is gone.
    pub async fn random_mask(self: &Rc<Self>) -> Result<(), PageError> {
        let (slot, seed) = {
            let mut state = self.state.borrow_mut();
            state.seed = state.seed.wrapping_add(1);
            state.masked = state.cursor.map_or(0, |(slot, _)| slot);
            (state.masked, state.seed)
        };
        let mask = self
            .app
            .ask(RandomMask {
                slot,
                ratio: self.controls.ratio(),
                seed,
            })
            .await?;
        self.state.borrow_mut().masks[slot] = mask.0.iter().map(|cell| *cell == 1).collect();
        self.ask();
        Ok(())
    }

    /// Hides nothing.
    pub fn clear_mask(self: &Rc<Self>) {
        for mask in &mut self.state.borrow_mut().masks {
            mask.fill(false);
        }
        self.ask();
    }

    /// Hides a patch from the student, or shows it.
    pub(super) fn paint_mask(self: &Rc<Self>, (slot, patch): (usize, usize), hide: bool) {
        let mut state = self.state.borrow_mut();
        state.masked = slot;
        if let Some(cell) = state.masks[slot].get_mut(patch) {
            *cell = hide;
        }
        drop(state);
        self.ask();
    }
}
