//! What `ibot pretrain` is asked for.

use std::path::PathBuf;

use crate::device::Devices;
use crate::settings::Settings;

#[derive(Clone, Debug)]
pub struct PretrainRequest {
    /// The settings; those of the run itself if it is resumed.
    pub settings: Settings,
    /// Name for a folder that is not given.
    pub name: String,
    pub out: Option<PathBuf>,
    /// Whether to continue the run in `out`.
    pub resume: bool,
    /// Where to compute: one worker a device.
    pub devices: Devices,
}
