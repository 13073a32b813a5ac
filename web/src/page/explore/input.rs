//! Pointer, keys and buttons of the tab.

use std::rc::Rc;

use web_sys::{Event, KeyboardEvent, PointerEvent};

use super::controls::{Change, ExploreMode};
use super::state::{Brush, Cursor};
use super::tab::Explore;
use crate::page::problem::PageError;
use crate::page::{blob, events, pictures};
use ibot_web::protocol::{Encoded, SLOTS};

/// The mouse's primary button, a finger or a pen's tip, among the buttons that are held.
const PRIMARY: u16 = 1;

pub fn wire(explore: &Rc<Explore>) -> Result<(), PageError> {
    let canvas = explore.stage.canvas();
    events::on(canvas, "pointerdown", explore, Explore::press);
    events::on(canvas, "pointermove", explore, Explore::hover);
    for end in ["pointerup", "pointercancel", "pointerleave"] {
        events::on(canvas, end, explore, Explore::lift_brush);
    }
    events::on(canvas, "keydown", explore, Explore::press_key);

    events::on_click("mask-random", explore, Explore::draw_random_mask)?;
    events::on_click("mask-clear", explore, Explore::clear_mask)?;
    events::on_click("save", explore, Explore::save)?;

    for (field, kind, change) in explore.controls.fields() {
        events::on(field, kind, explore, move |explore, _: Event| {
            explore.change(change);
        });
    }
    Ok(())
}

impl Explore {
    fn change(self: &Rc<Self>, change: Change) {
        self.controls.show_owned();
        let explore = self.clone();
        match change {
            Change::Tokens => events::start(async move { explore.encode_all().await }),
            Change::Question if self.needs_mask() => events::start(explore.draw_random_mask()),
            Change::Question => self.ask(),
            Change::Look => self.draw(),
        }
    }

    /// Pins the patch, or begins to paint the mask.
    fn press(self: &Rc<Self>, event: PointerEvent) {
        if event.buttons() & PRIMARY == 0 {
            return;
        }
        let Some(at) = self.patch_under(&event) else {
            return;
        };

        if self.controls.mode() == ExploreMode::Predict {
            // Otherwise a stroke would select text or scroll the page.
            event.prevent_default();
            let hide = !self.state.borrow().is_hidden(at);
            self.state.borrow_mut().brush = if hide { Brush::Hides } else { Brush::Shows };
            self.paint_mask(at, hide);
        } else {
            // A click pins the patch; a second click on the same patch releases it.
            let mut state = self.state.borrow_mut();
            state.pinned = state.cursor != Some(at) || !state.pinned;
        }
        self.move_to(at);
    }

    fn hover(self: &Rc<Self>, event: PointerEvent) {
        let Some(at) = self.patch_under(&event) else {
            return;
        };
        // Most events of a pointer stay within a patch.
        if self.state.borrow().cursor == Some(at) {
            return;
        }

        // While another button is held, releasing the primary one fires no event of its own.
        let brush = match event.buttons() & PRIMARY {
            0 => Brush::Up,
            _ => self.state.borrow().brush,
        };
        let follows = !self.state.borrow().pinned && event.pointer_type() == "mouse";
        match brush {
            Brush::Up if follows => self.move_to(at),
            Brush::Up => {}
            Brush::Hides | Brush::Shows => {
                self.paint_mask(at, brush == Brush::Hides);
                self.move_to(at);
            }
        }
    }

    fn lift_brush(self: &Rc<Self>, _: PointerEvent) {
        self.state.borrow_mut().brush = Brush::Up;
    }

    fn patch_under(&self, event: &PointerEvent) -> Option<Cursor> {
        self.stage
            .patch_at(event.offset_x().into(), event.offset_y().into())
    }

    fn move_to(self: &Rc<Self>, at: Cursor) {
        self.state.borrow_mut().cursor = Some(at);
        if self.controls.mode() == ExploreMode::Similar {
            self.ask();
        } else {
            self.draw();
        }
    }

    fn press_key(self: &Rc<Self>, event: KeyboardEvent) {
        if self.act_on_key(&event.key()) {
            event.prevent_default();
        }
    }

    /// Whether the key has a meaning here.
    fn act_on_key(self: &Rc<Self>, key: &str) -> bool {
        let Some(cursor) = self.state.borrow().cursor else {
            return false;
        };
        let Some(grid) = self.state.borrow().grid(cursor.slot) else {
            return false;
        };

        match key {
            // There the keys do what the pointer does in this mode.
            " " | "Enter" if self.controls.mode() == ExploreMode::Predict => {
                let hide = !self.state.borrow().is_hidden(cursor);
                self.paint_mask(cursor, hide);
            }
            "Escape" => self.state.borrow_mut().pinned = false,
            _ => {
                let target = match key {
                    "x" | "X" => self.counterpart(cursor, grid),
                    _ => neighbour(cursor, grid, key),
                };
                match target {
                    Some(target) => {
                        // A cursor that keys moved stays, wherever the pointer goes.
                        self.state.borrow_mut().pinned = true;
                        self.move_to(target);
                    }
                    None => return matches!(key, "x" | "X"),
                }
            }
        }
        true
    }

    /// The patch at the same place of the other image, if there is one.
    fn counterpart(&self, cursor: Cursor, grid: Encoded) -> Option<Cursor> {
        let slot = (cursor.slot + 1) % SLOTS;
        let other = self.state.borrow().grid(slot)?;

        let row = scale(cursor.patch / grid.columns, grid.rows, other.rows);
        let column = scale(cursor.patch % grid.columns, grid.columns, other.columns);
        let patch = row * other.columns + column;
        Some(Cursor { slot, patch })
    }

    async fn save(self: Rc<Self>) -> Result<(), PageError> {
        let file = pictures::png(self.stage.canvas()).await?;
        blob::save(&file, "ibot-patches.png")
    }
}

/// The patch that an arrow key leads to; at the edge it is the same one.
fn neighbour(cursor: Cursor, grid: Encoded, key: &str) -> Option<Cursor> {
    let (mut row, mut column) = (cursor.patch / grid.columns, cursor.patch % grid.columns);
    match key {
        "ArrowLeft" => column = column.saturating_sub(1),
        "ArrowRight" => column = (column + 1).min(grid.columns - 1),
        "ArrowUp" => row = row.saturating_sub(1),
        "ArrowDown" => row = (row + 1).min(grid.rows - 1),
        _ => return None,
    }

    let patch = row * grid.columns + column;
    Some(Cursor { patch, ..cursor })
}

/// The index among `to` patches at the place of index `at` among `from`.
fn scale(at: usize, from: usize, to: usize) -> usize {
    (at * to / from.max(1)).min(to - 1)
}
