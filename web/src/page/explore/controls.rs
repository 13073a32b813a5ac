//! The form beside the images.

use web_sys::{HtmlElement, HtmlInputElement, HtmlOptionElement, HtmlSelectElement};

use crate::page::dom;
use crate::page::problem::PageError;
use ibot_color::ColorScale;
use ibot_web::protocol::ModelInfo;

/// Numbers of patches along the shorter side of an image.
const RESOLUTIONS: [usize; 11] = [4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40];

/// What is shown of the patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExploreMode {
    /// Similarity of all patches to the one under the cursor.
    Similar,
    /// Principal components as colors.
    Colors,
    /// Attention of CLS.
    Attention,
    Clusters,
    /// The prototypes of the online tokenizer.
    Prototypes,
    /// Patches of the two images that are each other's nearest.
    Match,
    /// Prototypes that the student predicts for hidden patches.
    Predict,
}

impl ExploreMode {
    fn of(value: &str) -> Self {
        match value {
            "colors" => Self::Colors,
            "attention" => Self::Attention,
            "parts" => Self::Clusters,
            "prototypes" => Self::Prototypes,
            "match" => Self::Match,
            "predict" => Self::Predict,
            _ => Self::Similar,
        }
    }

    fn is_possible(self, model: &ModelInfo) -> bool {
        match self {
            Self::Prototypes => model.prototypes.is_some(),
            Self::Predict => model.predicts,
            _ => true,
        }
    }
}

/// What is shown of hidden patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredictionView {
    /// Whether student and teacher agree.
    Agreement,
    /// The student's probability of the teacher's prototype.
    Probability,
    /// The teacher's prototypes.
    Teacher,
    /// The student's prototypes.
    Student,
}

/// What has to be done again after a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Tokens, and everything that follows.
    Tokens,
    /// The analysis of the tokens.
    Question,
    /// Only the drawing.
    Look,
}

pub struct Controls {
    modes: Vec<HtmlInputElement>,
    resolution: HtmlSelectElement,
    block: HtmlSelectElement,
    head: HtmlSelectElement,
    scale: HtmlSelectElement,
    prediction: HtmlSelectElement,
    opacity: HtmlInputElement,
    smooth: HtmlInputElement,
    foreground: HtmlInputElement,
    best: HtmlInputElement,
    clusters: HtmlInputElement,
    pairs: HtmlInputElement,
    ratio: HtmlInputElement,
    /// Elements that belong to some modes only.
    owned: Vec<HtmlElement>,
}

impl Controls {
    pub fn find() -> Result<Self, PageError> {
        Ok(Self {
            modes: dom::all("input[name=mode]")?,
            resolution: dom::by_id("resolution")?,
            block: dom::by_id("block")?,
            head: dom::by_id("head")?,
            scale: dom::by_id("scale")?,
            prediction: dom::by_id("tell")?,
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

    /// Fields with the event that reports a new choice, and what it changes.
    pub fn fields(&self) -> Vec<(&HtmlElement, &'static str, Change)> {
        let mut fields: Vec<(&HtmlElement, &'static str, Change)> = Vec::new();
        for mode in &self.modes {
            fields.push((mode, "change", Change::Question));
        }
        for select in [&self.resolution, &self.block] {
            fields.push((select, "change", Change::Tokens));
        }
        for input in [&self.best, &self.clusters, &self.pairs, &self.foreground] {
            fields.push((input, "input", Change::Question));
        }
        for select in [&self.head, &self.scale, &self.prediction] {
            fields.push((select, "change", Change::Look));
        }
        for input in [&self.opacity, &self.smooth] {
            fields.push((input, "input", Change::Look));
        }
        fields
    }

    /// Offers the resolutions, blocks, heads and modes that the model has.
    pub fn offer(&self, model: &ModelInfo) -> Result<(), PageError> {
        let mut options = Vec::new();
        for patches in RESOLUTIONS {
            let pixels = patches * model.patch;
            options.push((pixels, format!("{pixels} px, {patches} patches")));
        }
        fill(&self.resolution, options, usual_resolution(model))?;

        let mut options = Vec::new();
        for block in 1..=model.depth {
            let last = if block == model.depth { " (last)" } else { "" };
            options.push((block, format!("{block}{last}")));
        }
        fill(&self.block, options, model.depth)?;

        // 0 is the mean: heads are counted from 1.
        let mut options = vec![(0, "mean of all".to_owned())];
        for head in 1..=model.heads {
            options.push((head, head.to_string()));
        }
        fill(&self.head, options, 0)?;

        self.offer_modes(model);
        self.show_owned();
        Ok(())
    }

    fn offer_modes(&self, model: &ModelInfo) {
        for input in &self.modes {
            let possible = ExploreMode::of(&input.value()).is_possible(model);
            input.set_disabled(!possible);
            if !possible {
                input.set_checked(false);
            }
        }

        // The chosen mode may just have become impossible.
        let chosen = self.modes.iter().any(|input| input.checked());
        if let (false, Some(first)) = (chosen, self.modes.first()) {
            first.set_checked(true);
        }
    }

    pub fn show_owned(&self) {
        let mode = self.mode_name();
        for element in &self.owned {
            let owners = element.get_attribute("data-for").unwrap_or_default();
            element.set_hidden(!owners.split(' ').any(|owner| owner == mode));
        }
    }

    fn mode_name(&self) -> String {
        let chosen = self.modes.iter().find(|input| input.checked());
        chosen.map(HtmlInputElement::value).unwrap_or_default()
    }

    pub fn mode(&self) -> ExploreMode {
        ExploreMode::of(&self.mode_name())
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

    pub fn scale(&self) -> ColorScale {
        match self.scale.value().as_str() {
            "inferno" => ColorScale::Inferno,
            "magma" => ColorScale::Magma,
            "cividis" => ColorScale::Cividis,
            "turbo" => ColorScale::Turbo,
            _ => ColorScale::Viridis,
        }
    }

    pub fn prediction(&self) -> PredictionView {
        match self.prediction.value().as_str() {
            "probability" => PredictionView::Probability,
            "teacher" => PredictionView::Teacher,
            "student" => PredictionView::Student,
            _ => PredictionView::Agreement,
        }
    }

    /// Opacity of the colors over the images, 0 to 1.
    pub fn opacity(&self) -> f64 {
        number(&self.opacity, 0.0, 100.0, 75.0) / 100.0
    }

    pub fn smooth(&self) -> bool {
        self.smooth.checked()
    }

    pub fn foreground(&self) -> bool {
        self.foreground.checked()
    }

    pub fn best(&self) -> usize {
        number(&self.best, 0.0, 50.0, 5.0) as usize
    }

    pub fn clusters(&self) -> usize {
        number(&self.clusters, 2.0, 24.0, 6.0) as usize
    }

    pub fn pairs(&self) -> usize {
        number(&self.pairs, 1.0, 100.0, 12.0) as usize
    }

    /// Share of patches that a random mask hides.
    pub fn ratio(&self) -> f64 {
        number(&self.ratio, 0.0, 100.0, 30.0) / 100.0
    }
}

/// Pixels for about as many patches as the model was trained with.
fn usual_resolution(model: &ModelInfo) -> usize {
    // With fewer than 16 there is little to see.
    let trained = (model.image_size / model.patch.max(1)).clamp(16, 28);
    let patches = RESOLUTIONS.into_iter().find(|n| *n >= trained);
    patches.unwrap_or(16) * model.patch
}

fn number(input: &HtmlInputElement, least: f64, most: f64, usual: f64) -> f64 {
    let value = input.value_as_number();
    // The value of an empty field is NaN.
    if value.is_finite() {
        value.clamp(least, most)
    } else {
        usual
    }
}

fn fill(
    select: &HtmlSelectElement,
    options: Vec<(usize, String)>,
    chosen: usize,
) -> Result<(), PageError> {
    // The old options are of another model.
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
