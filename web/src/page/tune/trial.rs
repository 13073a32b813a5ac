//! Try it: what a new picture shows.

use std::rc::Rc;

use web_sys::{Event, File, HtmlButtonElement, HtmlCanvasElement, HtmlElement, HtmlInputElement};

use super::super::problem::PageError;
use super::super::{dom, files, pictures};
use super::{LONGEST, SAMPLE_SIZE, SAMPLES, SAMPLES_EACH, Tune};
use ibot_web::js;
use ibot_web::protocol::{Classify, Scene};

/// Milliseconds between two pictures of the camera.
const FRAME: f64 = 150.0;

/// Wires the box.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(tune: &Rc<Tune>) -> Result<(), PageError> {
    let input: HtmlInputElement = dom::by_id("tune-try")?;
    let (at, field) = (tune.clone(), input.clone());
    dom::listen(&input, "change", move |_: Event| {
        files::list(field.files())
            .into_iter()
            .take(1)
            .for_each(|file| at.try_file(file));
        field.set_value("");
    });
    tune.on_click("tune-live", Tune::switch_live)?;
    tune.on_click("tune-scene", Tune::try_scene)?;
    show_place()
}

impl Tune {
    /// Says what a file shows.
    pub fn try_file(self: &Rc<Self>, file: File) {
        let at = self.clone();
        dom::start(async move {
            at.try_picture(&pictures::from_blob(&file, &file.name()).await?)
                .await
        });
    }

    /// Says what a scene shows that is none of the samples.
    async fn try_scene(self: Rc<Self>) -> Result<(), PageError> {
        let tried = self.tried.replace(self.tried.get() + 1);
        let (first, _) = SAMPLES[tried % SAMPLES.len()];
        let index = first + 10 * (SAMPLES_EACH + tried);
        let scene = self
            .app
            .ask(Scene {
                index,
                size: SAMPLE_SIZE,
            })
            .await?;
        self.try_picture(&pictures::from_pixels(&scene)?).await
    }

    async fn try_picture(&self, picture: &HtmlCanvasElement) -> Result<(), PageError> {
        self.said.set(None);
        self.classify(picture).await
    }

    /// Begins or ends to say what the camera sees.
    async fn switch_live(self: Rc<Self>) -> Result<(), PageError> {
        let switch = self.set_live(!self.live.get())?;
        if !self.live.get() {
            return Ok(());
        }
        let result = self.watch(switch).await;
        if self.switches.get() != switch {
            // Switched off meanwhile, perhaps on again: what became of this time is of no interest.
            return Ok(());
        }
        self.set_live(false)?;
        result
    }

    /// Which switch this is.
    fn set_live(&self, live: bool) -> Result<u32, PageError> {
        let switch = self.switches.get().wrapping_add(1);
        self.switches.set(switch);
        self.live.set(live);
        let button: HtmlButtonElement = dom::by_id("tune-live")?;
        button.set_attribute("aria-pressed", if live { "true" } else { "false" })?;
        Ok(switch)
    }

    /// One picture after the other, each when the last has its answer, until the next switch.
    async fn watch(self: &Rc<Self>, switch: u32) -> Result<(), PageError> {
        let camera = self.camera().await?;
        self.said.set(None);
        let result = async {
            while self.switches.get() == switch {
                self.classify(&camera.picture(LONGEST)?).await?;
                js::sleep(FRAME).await;
            }
            Ok(())
        }
        .await;
        self.release(camera);
        result
    }

    /// Shows a picture and the probability of each class.
    async fn classify(&self, picture: &HtmlCanvasElement) -> Result<(), PageError> {
        let picture = pictures::shrunk(picture, LONGEST)?;
        let ask = Classify {
            picture: pictures::pixels(&picture)?,
        };
        let shown: HtmlElement = dom::by_id("tune-shown")?;
        shown.set_text_content(None);
        shown.append_child(&picture)?;
        let bars: HtmlElement = dom::by_id("tune-prediction")?;
        let probabilities = self
            .app
            .ask(ask)
            .await
            .inspect_err(|_| bars.set_text_content(None))?;
        bars.set_text_content(None);
        let state = self.state.borrow();
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        let name_of = |class: usize| state.classes.get(class).map_or("", String::as_str);
        // A camera's numbers change with every picture: a screen reader hears of another class
        // alone.
        if let Some(class) = order.first().copied()
            && self.said.replace(Some(class)) != Some(class)
        {
            let text = format!("{}, {:.0} %", name_of(class), 100.0 * probabilities[class]);
            dom::by_id::<HtmlElement>("tune-said")?.set_text_content(Some(&text));
        }
        for class in order {
            let probability = probabilities[class];
            let row: HtmlElement = dom::create("div", "probability")?;
            let name: HtmlElement = dom::create("span", "")?;
            name.set_text_content(Some(name_of(class)));
            let (track, bar) = (
                dom::create::<HtmlElement>("div", "")?,
                dom::create::<HtmlElement>("i", "")?,
            );
            bar.style()
                .set_property("width", &format!("{:.1}%", 100.0 * probability))?;
            track.append_child(&bar)?;
            let number: HtmlElement = dom::create("b", "")?;
            number.set_text_content(Some(&format!("{:.0} %", 100.0 * probability)));
            for part in [&name, &track, &number] {
                row.append_child(part)?;
            }
            bars.append_child(&row)?;
        }
        Ok(())
    }
}

fn show_place() -> Result<(), PageError> {
    dom::by_id::<HtmlElement>("tune-shown")?.set_text_content(Some("Drop an image here"));
    Ok(())
}
