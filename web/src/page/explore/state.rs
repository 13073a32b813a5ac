//! The state of the tab: both images, the worker's last analysis, the cursor and the masks.

use web_sys::HtmlCanvasElement;

use ibot_web::protocol::{
    AttentionMaps, ClusterMaps, ColorMaps, Encoded, Pair, PerSlot, Predicted, PrototypeMaps, SLOTS,
    SimilarMaps,
};

#[derive(Default)]
pub struct ExploreState {
    pub images: PerSlot<OpenImage>,
    pub analysis: Analysis,
    pub cursor: Option<Cursor>,
    /// Whether the cursor stays while the pointer moves on.
    pub pinned: bool,
    /// The slot that the next image goes to.
    pub active: usize,
    /// Whether each patch is hidden from the student.
    pub masks: [Vec<bool>; SLOTS],
    /// The slot whose mask was changed last.
    pub masked: usize,
    pub seed: u32,
    /// What the pointer does to patches until its button is released.
    pub brush: Brush,
}

pub struct OpenImage {
    pub picture: HtmlCanvasElement,
    pub name: String,
    /// The grid of its patches, once it has tokens.
    pub grid: Option<Encoded>,
}

/// A patch of one of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub slot: usize,
    /// Row by row.
    pub patch: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Brush {
    #[default]
    Up,
    Hides,
    Shows,
}

/// The worker's last answer to the question of a mode.
#[derive(Default)]
pub enum Analysis {
    #[default]
    None,
    Similar(SimilarMaps),
    Attention(PerSlot<AttentionMaps>),
    Colors(ColorMaps),
    Clusters(ClusterMaps),
    Prototypes(PrototypeMaps),
    Pairs(Vec<Pair>),
    Predicted {
        slot: usize,
        found: Predicted,
    },
}

impl ExploreState {
    pub fn grid(&self, slot: usize) -> Option<Encoded> {
        self.images[slot].as_ref()?.grid
    }

    /// Rows and columns of the patches of both images.
    pub fn grids(&self) -> PerSlot<(usize, usize)> {
        std::array::from_fn(|slot| {
            let grid = self.grid(slot)?;
            Some((grid.rows, grid.columns))
        })
    }

    pub fn is_hidden(&self, at: Cursor) -> bool {
        self.masks[at.slot].get(at.patch).copied().unwrap_or(false)
    }

    pub fn hides_any(&self) -> bool {
        self.masks.iter().flatten().any(|hidden| *hidden)
    }
}
