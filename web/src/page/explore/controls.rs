//! What the person chose.

use std::rc::Rc;

use web_sys::{Event, HtmlElement, HtmlInputElement, HtmlOptionElement, HtmlSelectElement};

use crate::page::dom;
use crate::page::problem::PageError;
use ibot_web::protocol::Loaded;

/// What is shown of the patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// How alike they are to the one under the cursor.
    Similar,
    /// Principal components as colors.
    Colors,
    /// Where CLS looks.
    Attention,
    /// Clusters.
    Parts,
    /// What the online tokenizer says.
    Prototypes,
    /// Which belong together in both images.
    Match,
    /// What the student predicts where it does not see.
    Predict,
}

impl Mode {
    fn of(value: &str) -> Self {
        match value {
            "colors" => Self::Colors,
            "attention" => Self::Attention,
            "parts" => Self::Parts,
            "prototypes" => Self::Prototypes,
            "match" => Self::Match,
            "predict" => Self::Predict,
            _ => Self::Similar,
        }
    }
}

/// What is told of hidden patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Whether student and teacher agree.
    Agreement,
    /// The student's probability of the teacher's prototype.
    Probability,
    /// The teacher's prototypes.
    Teacher,
    /// The student's prototypes.
    Student,
}

/// The form.
pub struct Controls {
    modes: Vec<HtmlInputElement>,
    resolution: HtmlSelectElement,
    block: HtmlSelectElement,
    head: HtmlSelectElement,
    scale: HtmlSelectElement,
    tell: HtmlSelectElement,
    opacity: HtmlInputElement,
    smooth: HtmlInputElement,
    foreground: HtmlInputElement,
    best: HtmlInputElement,
    clusters: HtmlInputElement,
    pairs: HtmlInputElement,
    ratio: HtmlInputElement,
    owned: Vec<HtmlElement>,
}

impl Controls {
    /// Finds the form.
    ///
    /// # Errors
    /// If the page lacks a part of it.
    pub fn find() -> Result<Self, PageError> {
        Ok(Self {
            modes: dom::all("input[name=mode]")?,
            resolution: dom::by_id("resolution")?,
            block: dom::by_id("block")?,
            head: dom::by_id("head")?,
            scale: dom::by_id("scale")?,
            tell: dom::by_id("tell")?,
            opacity: dom::by_id("opacity")?,
            smooth: dom::by_id("smooth")?,
            foreground: dom::by_id("foreground")?,
            best: dom::by_id("best")?,
            clusters: dom::by_id("clusters")?,
            pairs: dom::by_id("pairs")?,
            ratio: dom::by_id("mask-ratio")?,
            owned: dom::all("[data-for]")?,
        })
    }

    /// Offers what the model has.
    ///
    /// # Errors
    /// If an element cannot be made.
    pub fn offer(&self, model: &Loaded) -> Result<(), PageError> {
        let sizes = [4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40];
        let labels = sizes.map(|n| {
            (
                n * model.patch,
                format!("{} px, {n} patches", n * model.patch),
            )
        });
        // About as many patches as it was trained with, but enough of them to see something.
        let usual = (model.image_size / model.patch.max(1)).clamp(16, 28);
        let usual = sizes.into_iter().find(|n| *n >= usual).unwrap_or(16) * model.patch;
        fill(&self.resolution, labels.into_iter(), usual)?;
        let last = model.depth;
        fill(
            &self.block,
            (1..=last).map(|n| (n, format!("{n}{}", if n == last { " (last)" } else { "" }))),
            last,
        )?;
        let heads = std::iter::once((0, "mean of all".to_owned()))
            .chain((1..=model.heads).map(|n| (n, n.to_string())));
        fill(&self.head, heads, 0)?;
        for input in &self.modes {
            let needs = match Mode::of(&input.value()) {
                Mode::Prototypes => model.prototypes.is_some(),
                Mode::Predict => model.predicts,
                _ => true,
            };
            input.set_disabled(!needs);
            if !needs && input.checked() {
                input.set_checked(false);
            }
        }
        if let (None, Some(first)) = (
            self.modes.iter().find(|input| input.checked()),
            self.modes.first(),
        ) {
            first.set_checked(true);
        }
        self.show_owned();
        Ok(())
    }

    /// Shows the controls of the mode, hides those of others.
    pub fn show_owned(&self) {
        let mode = self.mode_name();
        for element in &self.owned {
            let modes = element.get_attribute("data-for").unwrap_or_default();
            element.set_hidden(!modes.split(' ').any(|owner| owner == mode));
        }
    }

    /// Calls `change` with what it changes when something is chosen.
    pub fn on_change(self: &Rc<Self>, change: impl Fn(Change) + 'static) {
        let change = Rc::new(change);
        let listen = |element: &HtmlElement, kind: &str, what: Change| {
            let (controls, change) = (self.clone(), change.clone());
            dom::listen(element, kind, move |_: Event| {
                controls.show_owned();
                change(what);
            });
        };
        for element in &self.modes {
            listen(element, "change", Change::Question);
        }
        for element in [&self.resolution, &self.block] {
            listen(element, "change", Change::Tokens);
        }
        for element in [&self.best, &self.clusters, &self.pairs, &self.foreground] {
            listen(element, "input", Change::Question);
        }
        for element in [&self.head, &self.scale, &self.tell] {
            listen(element, "change", Change::Look);
        }
        for element in [&self.opacity, &self.smooth] {
            listen(element, "input", Change::Look);
        }
    }

    fn mode_name(&self) -> String {
        self.modes
            .iter()
            .find(|input| input.checked())
            .map(HtmlInputElement::value)
            .unwrap_or_default()
    }

    /// What is shown.
    pub fn mode(&self) -> Mode {
        Mode::of(&self.mode_name())
    }

    /// Pixels of an image's shorter side for the network.
    pub fn shorter(&self) -> usize {
        self.resolution.value().parse().unwrap_or(128)
    }

    /// The block, counted from 1.
    pub fn block(&self) -> Option<usize> {
        self.block.value().parse().ok()
    }

    /// The attention head, counted from 1; `None` for their mean.
    pub fn head(&self) -> Option<usize> {
        self.head.value().parse().ok().filter(|head| *head > 0)
    }

    /// Name of the scale that numbers are painted with.
    pub fn scale(&self) -> String {
        self.scale.value()
    }

    /// What is told of hidden patches.
    pub fn tell(&self) -> Tell {
        match self.tell.value().as_str() {
            "probability" => Tell::Probability,
            "teacher" => Tell::Teacher,
            "student" => Tell::Student,
            _ => Tell::Agreement,
        }
    }

    /// Opacity, 0 to 1.
    pub fn opacity(&self) -> f64 {
        number(&self.opacity, 0.0, 100.0, 75.0) / 100.0
    }

    /// Whether colors run into each other.
    pub fn smooth(&self) -> bool {
        self.smooth.checked()
    }

    /// Whether to color the foreground alone.
    pub fn foreground(&self) -> bool {
        self.foreground.checked()
    }

    /// Most similar patches to mark.
    pub fn best(&self) -> usize {
        number(&self.best, 0.0, 50.0, 5.0) as usize
    }

    /// Clusters.
    pub fn clusters(&self) -> usize {
        number(&self.clusters, 2.0, 24.0, 6.0) as usize
    }

    /// Pairs to draw.
    pub fn pairs(&self) -> usize {
        number(&self.pairs, 1.0, 100.0, 12.0) as usize
    }

    /// Share of patches that a random mask hides.
    pub fn ratio(&self) -> f64 {
        number(&self.ratio, 0.0, 100.0, 30.0) / 100.0
    }
}

/// What a choice changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Tokens, and all that follows.
    Tokens,
    /// What is asked about the tokens.
    Question,
    /// Only how the answer looks.
    Look,
}

fn number(input: &HtmlInputElement, least: f64, most: f64, usual: f64) -> f64 {
    let value = input.value_as_number();
    if value.is_finite() {
        value.clamp(least, most)
    } else {
        usual
    }
}

fn fill(
    select: &HtmlSelectElement,
    options: impl Iterator<Item = (usize, String)>,
    chosen: usize,
) -> Result<(), PageError> {
    select.set_inner_html("");
    for (value, label) in options {
        let option: HtmlOptionElement = dom::create("option", "")?;
        option.set_value(&value.to_string());
        option.set_text(&label);
        select.append_child(&option)?;
    }
    select.set_value(&chosen.to_string());
    Ok(())
}
