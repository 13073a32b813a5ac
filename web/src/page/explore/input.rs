//! Pointer and keys on the canvas.

use std::cell::Cell;
use std::rc::Rc;

use web_sys::{Event, HtmlButtonElement, KeyboardEvent, PointerEvent};

use super::controls::Mode;
use super::{Explore, SLOTS};
use crate::page::problem::PageError;
use crate::page::{blob, dom, pictures};

/// The mouse's primary button, a finger or a pen's tip, among the buttons that are held.
const PRIMARY: u16 = 1;

/// Wires the canvas and the buttons around it.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(explore: &Rc<Explore>) -> Result<(), PageError> {
    let canvas = explore.stage.canvas().clone();
    // What the pen does to patches until it is lifted: hide or show.
    let pen: Rc<Cell<Option<bool>>> = Rc::default();

    let (at, drawing) = (explore.clone(), pen.clone());
    dom::listen(&canvas, "pointerdown", move |event: PointerEvent| {
        if event.buttons() & PRIMARY == 0 {
            return;
        }
        let Some(patch) = at
            .stage
            .at(event.offset_x().into(), event.offset_y().into())
        else {
            return;
        };
        if at.controls.mode() == Mode::Predict {
            event.prevent_default();
            let hide = !at.state.borrow().masks[patch.0]
                .get(patch.1)
                .copied()
                .unwrap_or_default();
            drawing.set(Some(hide));
            at.paint_mask(patch, hide);
        } else {
            let mut state = at.state.borrow_mut();
            state.pinned = state.cursor != Some(patch) || !state.pinned;
        }
        at.move_to(patch);
    });
    let (at, drawing) = (explore.clone(), pen.clone());
    dom::listen(&canvas, "pointermove", move |event: PointerEvent| {
        let Some(patch) = at
            .stage
            .at(event.offset_x().into(), event.offset_y().into())
        else {
            return;
        };
        if at.state.borrow().cursor == Some(patch) {
            return;
        }
        // The end of the primary button is no event of its own while another one is held.
        match drawing.get().filter(|_| event.buttons() & PRIMARY != 0) {
            Some(hide) => {
                at.paint_mask(patch, hide);
                at.move_to(patch);
            }
            None if !at.state.borrow().pinned && event.pointer_type() == "mouse" => {
                at.move_to(patch)
            }
            None => {}
        }
    });
    for end in ["pointerup", "pointercancel", "pointerleave"] {
        let drawing = pen.clone();
        dom::listen(&canvas, end, move |_: PointerEvent| drawing.set(None));
    }
    let at = explore.clone();
    dom::listen(&canvas, "keydown", move |event: KeyboardEvent| {
        if at.key(&event.key()) {
            event.prevent_default();
        }
    });
    let at = explore.clone();
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("mask-random")?,
        "click",
        move |_: Event| {
            let explore = at.clone();
            dom::start(async move { explore.random_mask().await });
        },
    );
    let at = explore.clone();
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("mask-clear")?,
        "click",
        move |_: Event| at.clear_mask(),
    );
    let at = explore.clone();
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("save")?,
        "click",
        move |_: Event| {
            let explore = at.clone();
            dom::start(async move { explore.save().await });
        },
    );
    Ok(())
}

impl Explore {
    /// Moves the cursor.
    fn move_to(self: &Rc<Self>, patch: (usize, usize)) {
        self.state.borrow_mut().cursor = Some(patch);
        if self.controls.mode() == Mode::Similar {
            self.ask();
        } else {
            self.draw();
        }
    }

    /// Acts on a key; whether it has a meaning here.
    fn key(self: &Rc<Self>, key: &str) -> bool {
        let (slot, patch) = match self.state.borrow().cursor {
            Some(cursor) => cursor,
            None => return false,
        };
        let grid = |slot: usize| {
            self.state.borrow().views[slot]
                .as_ref()
                .and_then(|view| view.grid)
        };
        let Some(here) = grid(slot) else { return false };
        let (row, column) = (patch / here.columns, patch % here.columns);
        let moved = match key {
            "ArrowLeft" => (row, column.saturating_sub(1)),
            "ArrowRight" => (row, (column + 1).min(here.columns - 1)),
            "ArrowUp" => (row.saturating_sub(1), column),
            "ArrowDown" => ((row + 1).min(here.rows - 1), column),
            "x" | "X" => {
                let other = (slot + 1) % SLOTS;
                let Some(there) = grid(other) else {
                    return true;
                };
                let scaled =
                    |at: usize, from: usize, to: usize| (at * to / from.max(1)).min(to - 1);
                let place = scaled(row, here.rows, there.rows) * there.columns
                    + scaled(column, here.columns, there.columns);
                self.state.borrow_mut().pinned = true;
                self.move_to((other, place));
                return true;
            }
            " " | "Enter" if self.controls.mode() == Mode::Predict => {
                let hide = !self.state.borrow().masks[slot]
                    .get(patch)
                    .copied()
                    .unwrap_or_default();
                self.paint_mask((slot, patch), hide);
                return true;
            }
            "Escape" => {
                self.state.borrow_mut().pinned = false;
                return true;
            }
            _ => return false,
        };
        // A cursor that keys moved stays, whatever the pointer does.
        self.state.borrow_mut().pinned = true;
        self.move_to((slot, moved.0 * here.columns + moved.1));
        true
    }

    /// Saves the canvas as a picture.
    async fn save(&self) -> Result<(), PageError> {
        blob::save(
            &pictures::png(self.stage.canvas()).await?,
            "ibot-patches.png",
        )
    }
}
