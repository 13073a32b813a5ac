//! The modes of learning, as the form offers them.

use ibot_web::protocol::TuneMode;

pub struct ModeInfo {
    pub mode: TuneMode,
    /// Its value in the form.
    pub value: &'static str,
    pub steps: usize,
    pub description: &'static str,
}

const LINEAR: ModeInfo = ModeInfo {
    mode: TuneMode::Linear,
    value: "linear",
    steps: 100,
    description: "A linear classifier on features that are computed once.",
};

const MODES: [ModeInfo; 5] = [
    LINEAR,
    ModeInfo {
        mode: TuneMode::Knn,
        value: "knn",
        steps: 1,
        description: "The 10 nearest images vote; nothing to train.",
    },
    ModeInfo {
        mode: TuneMode::Lora,
        value: "lora",
        steps: 100,
        description: "Back-propagation into low-rank changes of all blocks.",
    },
    ModeInfo {
        mode: TuneMode::LastBlocks,
        value: "last-blocks",
        steps: 100,
        description: "Back-propagation into the last two blocks.",
    },
    ModeInfo {
        mode: TuneMode::Adapt,
        value: "adapt",
        steps: 300,
        description: "iBOT itself goes on with your images: student, teacher and masks. Labels only serve to compare.",
    },
];

/// The mode of this value in the form.
pub fn mode_of(value: &str) -> TuneMode {
    let info = MODES.into_iter().find(|info| info.value == value);
    info.unwrap_or(LINEAR).mode
}

pub fn about(mode: TuneMode) -> ModeInfo {
    let info = MODES.into_iter().find(|info| info.mode == mode);
    info.unwrap_or(LINEAR)
}
