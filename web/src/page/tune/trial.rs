//! The trial: classifies a new picture, or what the webcam sees.

use std::cell::Cell;
use std::rc::Rc;

use web_sys::{File, HtmlCanvasElement, HtmlElement};

use super::tab::{LONGEST, Tune};
use crate::page::problem::PageError;
use crate::page::{dom, events, pictures};
use ibot_web::protocol::Classify;

/// Milliseconds between two frames of the webcam.
const PAUSE: f64 = 150.0;

pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    events::on_files("tune-try", tune, Tune::try_first)?;
    events::on_click("tune-live", tune, Tune::switch_live)?;
    dom::set_text("tune-shown", "Drop an image here")
}

impl Tune {
    pub(super) fn try_first(self: &Rc<Self>, files: Vec<File>) {
        let Some(file) = files.into_iter().next() else {
            return;
        };
        let tune = self.clone();
        events::start(async move {
            let picture = pictures::from_blob(&file, &file.name()).await?;
            tune.try_picture(&picture).await
        });
    }

    pub(super) async fn try_picture(&self, picture: &HtmlCanvasElement) -> Result<(), PageError> {
        // The class of a single picture is read out even if the picture before had the same.
        let announced = Cell::new(None);
        self.classify(picture, &announced).await
    }

    async fn switch_live(self: Rc<Self>) -> Result<(), PageError> {
        if self.live.is_on() {
            self.live.turn_off();
            return show_live(false);
        }

        let turn = self.live.turn_on();
        show_live(true)?;
        let announced = Cell::new(None);
        let classify = async |frame| self.classify(&frame, &announced).await;
        let result = self
            .webcam
            .each_frame(&turn, LONGEST, PAUSE, classify)
            .await;

        // If it was switched off meanwhile, and perhaps on again, an error of this turn is of no
        // interest any more.
        if !turn.lasts() {
            return Ok(());
        }
        self.live.turn_off();
        show_live(false)?;
        result
    }

    /// Shows a picture and the probability of each class; `announced` was read out last.
    async fn classify(
        &self,
        picture: &HtmlCanvasElement,
        announced: &Cell<Option<usize>>,
    ) -> Result<(), PageError> {
        let picture = pictures::shrunk(picture, LONGEST)?;
        let question = Classify {
            picture: pictures::pixels(&picture)?,
        };
        let shown: HtmlElement = dom::by_id("tune-shown")?;
        shown.set_text_content(None);
        shown.append_child(&picture)?;

        let bars: HtmlElement = dom::by_id("tune-prediction")?;
        // The old bars stay until the answer is there; after an error there are none.
        let answer = self.client.ask(question).await;
        bars.set_text_content(None);
        self.show_probabilities(&bars, &answer?, announced)
    }

    fn show_probabilities(
        &self,
        bars: &HtmlElement,
        probabilities: &[f32],
        announced: &Cell<Option<usize>>,
    ) -> Result<(), PageError> {
        let state = self.state.borrow();
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        // `total_cmp` also orders NaN, which a lesson that diverged may give.
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));

        for (rank, class) in order.into_iter().enumerate() {
            let name = state.classes.get(class).map_or("", String::as_str);
            let percent = 100.0 * probabilities[class];
            add_bar(bars, name, percent)?;

            // The numbers of a webcam change with every frame; only another class is read out.
            if rank == 0 && announced.replace(Some(class)) != Some(class) {
                dom::set_text("tune-said", &format!("{name}, {percent:.0} %"))?;
            }
        }
        Ok(())
    }
}

fn show_live(live: bool) -> Result<(), PageError> {
    let button: HtmlElement = dom::by_id("tune-live")?;
    button.set_attribute("aria-pressed", if live { "true" } else { "false" })?;
    Ok(())
}

fn add_bar(bars: &HtmlElement, name: &str, percent: f32) -> Result<(), PageError> {
    let row: HtmlElement = dom::append(bars, "div", "probability", "")?;
    dom::append::<HtmlElement>(&row, "span", "", name)?;

    let track: HtmlElement = dom::append(&row, "div", "", "")?;
    let bar: HtmlElement = dom::append(&track, "i", "", "")?;
    let style = bar.style();
    style.set_property("width", &format!("{percent:.1}%"))?;

    dom::append::<HtmlElement>(&row, "b", "", &format!("{percent:.0} %"))?;
    Ok(())
}
