//! Sample images: builtin scenes and photographs, at once and without a choice.

use std::rc::Rc;

use web_sys::{Event, HtmlButtonElement, HtmlCanvasElement, HtmlElement};

use super::app::App;
use super::explore::Explore;
use super::problem::PageError;
use super::{blob, dom, pictures};
use ibot_web::protocol::Scene;

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
/// Side of a scene as it is shown.
const SIZE: usize = 384;
/// Photographs beside the page.
const PHOTOS: [&str; 3] = ["chelsea", "astronaut", "coffee"];

/// Fills the strip and shows its first two images.
///
/// # Errors
/// If a sample cannot be made.
pub async fn wire(app: &Rc<App>, explore: &Rc<Explore>) -> Result<(), PageError> {
    let strip: HtmlElement = dom::by_id("samples")?;
    for (n, (index, name)) in SCENES.into_iter().enumerate() {
        let picture = pictures::from_pixels(&app.ask(Scene { index, size: SIZE }).await?)?;
        if n < 2 {
            explore.show(n, picture.clone(), name).await?;
        }
        add(&strip, explore, picture, name)?;
    }
    for name in PHOTOS {
        let blob = blob::download(&format!("samples/{name}.jpg")).await?;
        add(
            &strip,
            explore,
            pictures::from_blob(&blob, name).await?,
            name,
        )?;
    }
    Ok(())
}

/// A button with the picture on it.
fn add(
    strip: &HtmlElement,
    explore: &Rc<Explore>,
    picture: HtmlCanvasElement,
    name: &'static str,
) -> Result<(), PageError> {
    let button: HtmlButtonElement = dom::create("button", "sample")?;
    button.set_title(name);
    button.set_attribute("aria-label", &format!("show {name}"))?;
    let thumb = pictures::square(&picture, 72)?;
    button.append_child(&thumb)?;
    let explore = explore.clone();
    dom::listen(&button, "click", move |_: Event| {
        let (explore, picture) = (explore.clone(), picture.clone());
        dom::start(async move { explore.show(explore.active(), picture, name).await });
    });
    strip.append_child(&button)?;
    Ok(())
}
