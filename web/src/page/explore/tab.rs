//! The tab itself: it asks the worker for an analysis, and draws it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use web_sys::HtmlElement;

use super::controls::{Controls, ExploreMode};
use super::drawing::{Drawing, Pane};
use super::paint::paint;
use super::reading::reading;
use super::stage::Stage;
use super::state::{Analysis, Cursor, ExploreState};
use crate::page::client::Client;
use crate::page::problem::PageError;
use crate::page::{dom, events, status};
use ibot_web::protocol::{
    AssignPrototypes, ClusterPatches, ColorComponents, Compare, Correspond, ModelInfo, Predict,
    ReadAttention, SLOTS,
};
use ibot_web::wire::Bytes;

/// Least distance of two marked patches, in patches.
const APART: f64 = 2.0;

pub struct Explore {
    pub(super) client: Rc<Client>,
    pub(super) controls: Controls,
    pub(super) stage: Stage,
    pub(super) state: RefCell<ExploreState>,
    legend: HtmlElement,
    reading: HtmlElement,
    question: Cell<Question>,
}

/// Where the question for an analysis is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Question {
    #[default]
    Idle,
    Asked,
    /// Asked, and out of date: it will be asked again after its answer.
    Outdated,
}

impl Explore {
    pub fn new(client: &Rc<Client>) -> Result<Rc<Self>, PageError> {
        Ok(Rc::new(Self {
            client: client.clone(),
            controls: Controls::find()?,
            stage: Stage::new(dom::by_id("stage")?),
            state: RefCell::default(),
            legend: dom::by_id("legend")?,
            reading: dom::by_id("reading")?,
            question: Cell::default(),
        }))
    }

    pub async fn use_model(self: &Rc<Self>, model: &ModelInfo) -> Result<(), PageError> {
        self.controls.offer(model)?;
        for image in self.state.borrow_mut().images.iter_mut().flatten() {
            // The old tokens are of another model.
            image.grid = None;
        }
        self.encode_all().await
    }

    /// Asks the worker for the analysis of the mode, and draws it.
    pub(super) fn ask(self: &Rc<Self>) {
        // One question at a time: of those that come meanwhile only the last is asked, so that the
        // pointer may move at any speed.
        if self.question.get() != Question::Idle {
            return self.question.set(Question::Outdated);
        }

        self.question.set(Question::Asked);
        let explore = self.clone();
        events::start(async move {
            let result = explore.ask_until_current().await;
            explore.question.set(Question::Idle);
            explore.draw();
            result
        });
    }

    async fn ask_until_current(&self) -> Result<(), PageError> {
        loop {
            self.question.set(Question::Asked);
            let analysis = self.analyse().await?;
            self.state.borrow_mut().analysis = analysis;
            if self.question.get() == Question::Asked {
                return Ok(());
            }
        }
    }

    async fn analyse(&self) -> Result<Analysis, PageError> {
        let encoded = self.state.borrow().grids().map(|grid| grid.is_some());
        if !encoded.contains(&true) {
            return Ok(Analysis::None);
        }

        let client = &self.client;
        Ok(match self.controls.mode() {
            ExploreMode::Similar => self.compare().await?,
            ExploreMode::Attention => Analysis::Attention(client.ask(ReadAttention).await?),
            ExploreMode::Colors => {
                let foreground = self.controls.foreground();
                Analysis::Colors(client.ask(ColorComponents { foreground }).await?)
            }
            ExploreMode::Clusters => {
                let clusters = self.controls.clusters();
                Analysis::Clusters(client.ask(ClusterPatches { clusters }).await?)
            }
            ExploreMode::Prototypes => Analysis::Prototypes(client.ask(AssignPrototypes).await?),
            ExploreMode::Match if encoded == [true; SLOTS] => {
                let pairs = self.controls.pairs();
                Analysis::Pairs(client.ask(Correspond { pairs }).await?)
            }
            ExploreMode::Match => Analysis::None,
            ExploreMode::Predict => self.predict().await?,
        })
    }

    async fn compare(&self) -> Result<Analysis, PageError> {
        let Some(Cursor { slot, patch }) = self.state.borrow().cursor else {
            return Ok(Analysis::None);
        };

        let question = Compare {
            slot,
            patch,
            best: self.controls.best(),
            apart: APART,
        };
        Ok(Analysis::Similar(self.client.ask(question).await?))
    }

    async fn predict(&self) -> Result<Analysis, PageError> {
        let (slot, mask) = {
            let state = self.state.borrow();
            let mask = &state.masks[state.masked];
            let mask: Vec<u8> = mask.iter().map(|hidden| u8::from(*hidden)).collect();
            (state.masked, mask)
        };
        if !mask.contains(&1) {
            return Ok(Analysis::None);
        }

        let mask = Bytes(mask);
        let found = self.client.ask(Predict { slot, mask }).await?;
        Ok(Analysis::Predicted { slot, found })
    }

    /// Draws the current analysis. An error is shown in the status line.
    pub fn draw(&self) {
        status::report(self.try_draw());
    }

    fn try_draw(&self) -> Result<(), PageError> {
        let state = self.state.borrow();
        let mode = self.controls.mode();

        // A finger paints masks; in other modes it scrolls the page.
        let touch = match mode {
            ExploreMode::Predict => "none",
            _ => "pan-y",
        };
        let style = self.stage.canvas().style();
        style.set_property("touch-action", touch)?;

        let grids = state.grids();
        let mut painted = paint(&state.analysis, &self.controls, &grids)?;
        mark_expected(&state, &mut painted.marks);

        let mut drawing = Drawing {
            panes: Default::default(),
            lines: painted.lines,
            cursor: state.cursor.filter(|cursor| grids[cursor.slot].is_some()),
            opacity: self.controls.opacity(),
            smooth: self.controls.smooth(),
        };
        for (slot, image) in state.images.iter().enumerate() {
            let Some(image) = image else { continue };
            let hidden = match mode {
                ExploreMode::Predict => state.masks[slot].clone(),
                _ => Vec::new(),
            };
            drawing.panes[slot] = Some(Pane {
                picture: image.picture.clone(),
                grid: grids[slot].unwrap_or_default(),
                cells: painted.cells[slot].take(),
                hidden,
                marks: std::mem::take(&mut painted.marks[slot]),
            });
        }

        self.stage.draw(&drawing)?;
        // Only what was drawn is explained: an error above leaves the old legend.
        painted.legend.show(&self.legend)?;
        self.reading.set_text_content(Some(&reading(&state)));
        Ok(())
    }
}

/// Marks the visible patches that are most like the prediction under the cursor.
fn mark_expected(state: &ExploreState, marks: &mut [Vec<usize>; SLOTS]) {
    let Analysis::Predicted { slot, found } = &state.analysis else {
        return;
    };
    let Some(cursor) = state.cursor.filter(|cursor| cursor.slot == *slot) else {
        return;
    };
    if let Some(predicted) = found.at(cursor.patch) {
        marks[*slot].clone_from(&predicted.nearest);
    }
}
