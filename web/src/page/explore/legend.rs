//! What the colors mean.

use web_sys::{Element, HtmlCanvasElement, HtmlElement};

use crate::page::problem::PageError;
use crate::page::{colors, dom, pictures};

/// Colors of the bar.
const STEPS: u32 = 128;

/// What colors mean.
#[derive(Clone, Default)]
pub enum Legend {
    /// There are none.
    #[default]
    None,
    /// Words.
    Text(String),
    /// A scale by its name, the numbers at its ends, and what they are.
    Scale(String, (f32, f32), String),
    /// Kinds, by the color in CSS, and what else there is to say.
    Kinds(Vec<(String, String)>, String),
}

impl Legend {
    /// Shows it in `place`.
    ///
    /// # Errors
    /// If an element cannot be made.
    pub fn show(&self, place: &HtmlElement) -> Result<(), PageError> {
        place.set_inner_html("");
        match self {
            Self::None => {}
            Self::Text(text) => place.set_text_content(Some(text)),
            Self::Scale(scale, (low, high), name) => {
                let bar: HtmlCanvasElement = dom::canvas(STEPS, 1)?;
                let color = |step: u32| {
                    let [r, g, b] = colors::scale(scale, step as f32 / (STEPS - 1) as f32);
                    [r, g, b, 255]
                };
                pictures::put(&bar, &(0..STEPS).flat_map(color).collect::<Vec<u8>>())?;
                add(place, "span", "name", name)?;
                add(place, "span", "low", &format!("{:.2}", low))?;
                place.append_child(&bar)?;
                add(place, "span", "high", &format!("{:.2}", high))?;
            }
            Self::Kinds(kinds, note) => {
                for (color, name) in kinds {
                    let kind = add(place, "span", "kind", name)?;
                    let swatch: HtmlElement = dom::create("i", "")?;
                    swatch.style().set_property("background", color)?;
                    kind.insert_before(&swatch, kind.first_child().as_ref())?;
                }
                add(place, "span", "note", note)?;
            }
        }
        Ok(())
    }
}

fn add(
    place: &HtmlElement,
    kind: &'static str,
    class: &str,
    text: &str,
) -> Result<Element, PageError> {
    let element: Element = dom::create(kind, class)?;
    element.set_text_content(Some(text));
    place.append_child(&element)?;
    Ok(element)
}
