//! What a run is doing.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It trains; or its process was killed, if there is no process of that id.
    #[default]
    Running,
    Complete,
    /// It was stopped and is saved.
    Interrupted,
    /// It ended with an error, which is the message.
    Failed,
}
