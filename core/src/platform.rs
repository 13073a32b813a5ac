//! Differences between burn's backends, all of them.

use burn::tensor::Device;

/// Whether burn's own GELU has the exact gradient on this device. The CPU backend's has; those of GPUs differentiate
/// the tanh approximation (burn 0.22.1).
pub(crate) fn has_exact_gelu(device: &Device) -> bool {
    *device == Device::flex()
}
