//! Explore: two images, and what the patch tokens know of them.

mod controls;
mod input;
mod legend;
mod mask;
mod paint;
mod reading;
mod slots;
mod stage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use web_sys::HtmlElement;

use super::app::App;
use super::problem::PageError;
use super::{dom, status};
use controls::{Change, Controls, Mode};
use ibot_web::protocol::{
    Attention, Colors, Correspond, Loaded, Parts, PerSlot, Predict, Prototypes, SLOTS, Similar,
};
use ibot_web::wire::Bytes;
use paint::{Answer, paint};
use reading::reading;
use slots::View;
use stage::{Image, Scene, Stage};

/// Least distance of two marked patches, in patches.
const APART: f64 = 2.0;

/// The part of the page that explores.
pub struct Explore {
    app: Rc<App>,
    controls: Rc<Controls>,
    stage: Stage,
    legend: HtmlElement,
    reading: HtmlElement,
    state: RefCell<State>,
    /// A question is on its way; another one waits for its answer.
    asking: Cell<bool>,
    ask_again: Cell<bool>,
}

#[derive(Default)]
struct State {
    views: PerSlot<View>,
    answer: Answer,
    /// Slot and patch.
    cursor: Option<(usize, usize)>,
    /// Whether the cursor stays where it is.
    pinned: bool,
    /// Where the next image goes.
    active: usize,
    masks: [Vec<bool>; SLOTS],
    masked: usize,
    seed: u32,
}

impl Explore {
    /// Wires the form and the canvas.
    ///
    /// # Errors
    /// If the page lacks a part.
    pub fn start(app: Rc<App>) -> Result<Rc<Self>, PageError> {
        let explore = Rc::new(Self {
            app,
            controls: Rc::new(Controls::find()?),
            stage: Stage::new(dom::by_id("stage")?),
            legend: dom::by_id("legend")?,
            reading: dom::by_id("reading")?,
            state: RefCell::default(),
            asking: Cell::new(false),
            ask_again: Cell::new(false),
        });
        input::wire(&explore)?;
        let changed = Rc::downgrade(&explore);
        explore.controls.on_change(move |change| {
            let Some(explore) = changed.upgrade() else {
                return;
            };
            match change {
                Change::Tokens => dom::start(async move { explore.encode_all().await }),
                Change::Question if explore.needs_mask() => {
                    dom::start(async move { explore.random_mask().await })
                }
                Change::Question => explore.ask(),
                Change::Look => explore.draw(),
            }
        });
        Ok(explore)
    }

    /// Another model: other tokens.
    ///
    /// # Errors
    /// If the images cannot be encoded.
    pub async fn use_model(self: &Rc<Self>, model: &Loaded) -> Result<(), PageError> {
        self.controls.offer(model)?;
        for view in self.state.borrow_mut().views.iter_mut().flatten() {
            view.grid = None;
        }
        self.encode_all().await
    }

    /// Asks the worker what the mode shows. While a question is on its way only the last of many is
    /// kept, so that a pointer may move as fast as it likes.
    fn ask(self: &Rc<Self>) {
        if self.asking.replace(true) {
            return self.ask_again.set(true);
        }
        let explore = self.clone();
        dom::start(async move {
            let result = loop {
                explore.ask_again.set(false);
                match explore.answer().await {
                    Ok(answer) => explore.state.borrow_mut().answer = answer,
                    Err(error) => break Err(error),
                }
                if !explore.ask_again.get() {
                    break Ok(());
                }
            };
            explore.asking.set(false);
            explore.draw();
            result
        });
    }

    async fn answer(&self) -> Result<Answer, PageError> {
        let (cursor, masked, ready) = {
            let state = self.state.borrow();
            let ready = state
                .views
                .each_ref()
                .map(|view| view.as_ref().is_some_and(|view| view.grid.is_some()));
            (state.cursor, state.masked, ready)
        };
        if !ready.contains(&true) {
            return Ok(Answer::None);
        }
        let controls = &self.controls;
        Ok(match (controls.mode(), cursor) {
            (Mode::Similar, Some((slot, patch))) => Answer::Similar(
                self.app
                    .ask(Similar {
                        slot,
                        patch,
                        best: controls.best(),
                        apart: APART,
                    })
                    .await?,
            ),
            (Mode::Similar, None) => Answer::None,
            (Mode::Attention, _) => Answer::Attention(self.app.ask(Attention).await?),
            (Mode::Colors, _) => Answer::Colors(
                self.app
                    .ask(Colors {
                        foreground: controls.foreground(),
                    })
                    .await?,
            ),
            (Mode::Parts, _) => Answer::Parts(
                self.app
                    .ask(Parts {
                        clusters: controls.clusters(),
                    })
                    .await?,
            ),
            (Mode::Prototypes, _) => Answer::Prototypes(self.app.ask(Prototypes).await?),
            (Mode::Match, _) if ready == [true; SLOTS] => Answer::Pairs(
                self.app
                    .ask(Correspond {
                        pairs: controls.pairs(),
                    })
                    .await?,
            ),
            (Mode::Match, _) => Answer::None,
            (Mode::Predict, _) => {
                let mask = self.state.borrow().masks[masked]
                    .iter()
                    .map(|hidden| u8::from(*hidden))
                    .collect::<Vec<_>>();
                if !mask.contains(&1) {
                    return Ok(Answer::None);
                }
                Answer::Predicted(
                    masked,
                    self.app
                        .ask(Predict {
                            slot: masked,
                            mask: Bytes(mask),
                        })
                        .await?,
                )
            }
        })
    }

    /// Draws what is known; what goes wrong is said.
    pub fn draw(&self) {
        if let Err(error) = self.try_draw() {
            status::fail(&error);
        }
    }

    fn try_draw(&self) -> Result<(), PageError> {
        let state = self.state.borrow();
        let grids = state.views.each_ref().map(|view| {
            let grid = view.as_ref()?.grid?;
            Some((grid.rows, grid.columns))
        });
        let mut painted = paint(&state.answer, &self.controls, &grids)?;
        let mode = self.controls.mode();
        // A finger paints masks; elsewhere it scrolls the page.
        let touch = if mode == Mode::Predict {
            "none"
        } else {
            "pan-y"
        };
        self.stage
            .canvas()
            .style()
            .set_property("touch-action", touch)?;
        if let (Answer::Predicted(at, found), Some((slot, patch))) = (&state.answer, state.cursor)
            && let Some(predicted) = found
                .patches
                .iter()
                .find(|predicted| *at == slot && predicted.patch == patch)
        {
            painted.marks[slot].clone_from(&predicted.nearest);
        }
        let images = std::array::from_fn(|slot| {
            let view = state.views[slot].as_ref()?;
            let hidden = if mode == Mode::Predict {
                state.masks[slot].clone()
            } else {
                Vec::new()
            };
            Some(Image {
                picture: view.picture.clone(),
                grid: grids[slot].unwrap_or_default(),
                cells: painted.cells[slot].take(),
                hidden,
                marks: std::mem::take(&mut painted.marks[slot]),
            })
        });
        let cursor = state.cursor.filter(|(slot, _)| grids[*slot].is_some());
        let (opacity, smooth) = (self.controls.opacity(), self.controls.smooth());
        self.stage.draw(&Scene {
            images,
            lines: painted.lines,
            cursor,
            opacity,
            smooth,
        })?;
        painted.legend.show(&self.legend)?;
        self.reading.set_text_content(Some(&reading(&state)));
        Ok(())
    }
}
