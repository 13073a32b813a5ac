//! Sample images: builtin scenes and photographs.

use std::rc::Rc;

use web_sys::{Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement};

use super::tab::Explore;
use crate::page::problem::PageError;
use crate::page::{blob, dom, events, pictures};
use ibot_web::protocol::PaintScene;

/// Builtin scenes of the strip: two of each of five classes.
const SCENES: [(usize, &str); 10] = [
    (3, "fish"),
    (13, "fish"),
    (0, "house"),
    (10, "house"),
    (2, "car"),
    (12, "car"),
    (8, "butterfly"),
    (18, "butterfly"),
    (9, "cat"),
    (19, "cat"),
];
/// Side of a scene in pixels.
const SIZE: usize = 384;
/// Side of a button's picture in pixels.
const THUMB: u32 = 72;
/// Photographs beside the page.
const PHOTOS: [&str; 3] = ["chelsea", "astronaut", "coffee"];

/// Fills the strip and shows its first two images.
pub async fn show_samples(explore: &Rc<Explore>) -> Result<(), PageError> {
    let strip: HtmlElement = dom::by_id("samples")?;

    for (n, (index, name)) in SCENES.into_iter().enumerate() {
        let scene = explore.client.ask(PaintScene { index, size: SIZE }).await?;
        let picture = pictures::from_pixels(&scene)?;
        // Shown at once: the first heatmap shall not wait for the other samples.
        if n < 2 {
            explore.show(n, picture.clone(), name).await?;
        }
        add(&strip, explore, picture, name)?;
    }

    for name in PHOTOS {
        let file = blob::download(&format!("samples/{name}.jpg")).await?;
        let picture = pictures::from_blob(&file, name).await?;
        add(&strip, explore, picture, name)?;
    }
    Ok(())
}

fn add(
    strip: &HtmlElement,
    explore: &Rc<Explore>,
    picture: HtmlCanvasElement,
    name: &'static str,
) -> Result<(), PageError> {
    let button: HtmlButtonElement = dom::create("button", "sample")?;
    button.set_title(name);
    button.set_attribute("aria-label", &format!("show {name}"))?;
    let thumb = pictures::square(&picture, THUMB)?;
    button.append_child(&thumb)?;

    events::on(&button, "click", explore, move |explore, _: Event| {
        let explore = explore.clone();
        let picture = picture.clone();
        events::start(async move { explore.show(explore.active(), picture, name).await });
    });
    strip.append_child(&button)?;
    Ok(())
}
