//! What a model is compared with.

use std::fmt;

use clap::ValueEnum;

/// What the figures of a model mean something beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Yardstick {
    /// The images themselves, without a network.
    Pixels,
    /// The same network with random weights.
    Untrained,
}

impl fmt::Display for Yardstick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pixels => "pixels",
            Self::Untrained => "untrained",
        })
    }
}
