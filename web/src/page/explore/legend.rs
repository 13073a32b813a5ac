//! The legend: what the colors mean.

use web_sys::{Element, HtmlElement};

use crate::page::problem::PageError;
use crate::page::{dom, pictures};
use ibot_color::{ColorScale, Range};

/// Kinds that a legend names; more would not fit.
pub const NAMED: usize = 12;
/// Pixels of the bar.
const STEPS: u32 = 128;

#[derive(Clone, Default)]
pub enum ColorLegend {
    #[default]
    None,
    Text(String),
    /// A color scale for the numbers `name` of this range.
    Scale {
        scale: ColorScale,
        range: Range,
        name: &'static str,
    },
    /// Colors in CSS with their meanings, and a remark.
    Kinds {
        kinds: Vec<(String, String)>,
        note: String,
    },
}

impl ColorLegend {
    pub fn show(&self, place: &HtmlElement) -> Result<(), PageError> {
        // The legend of another mode has other elements.
        place.set_inner_html("");
        match self {
            Self::None => {}
            Self::Text(text) => place.set_text_content(Some(text)),
            Self::Scale { scale, range, name } => show_scale(place, *scale, *range, name)?,
            Self::Kinds { kinds, note } => show_kinds(place, kinds, note)?,
        }
        Ok(())
    }
}

fn show_scale(
    place: &HtmlElement,
    scale: ColorScale,
    range: Range,
    name: &str,
) -> Result<(), PageError> {
    let mut rgba = Vec::new();
    for step in 0..STEPS {
        let [r, g, b] = scale.color(step as f32 / (STEPS - 1) as f32);
        rgba.extend([r, g, b, 255]);
    }
    let bar = dom::canvas(STEPS, 1)?;
    pictures::put(&bar, &rgba)?;

    dom::append::<Element>(place, "span", "name", name)?;
    dom::append::<Element>(place, "span", "low", &format!("{:.2}", range.low))?;
    place.append_child(&bar)?;
    dom::append::<Element>(place, "span", "high", &format!("{:.2}", range.high))?;
    Ok(())
}

fn show_kinds(
    place: &HtmlElement,
    kinds: &[(String, String)],
    note: &str,
) -> Result<(), PageError> {
    for (color, name) in kinds {
        let kind: Element = dom::append(place, "span", "kind", name)?;
        let swatch: HtmlElement = dom::create("i", "")?;
        swatch.style().set_property("background", color)?;
        kind.insert_before(&swatch, kind.first_child().as_ref())?;
    }
    dom::append::<Element>(place, "span", "note", note)?;
    Ok(())
}
