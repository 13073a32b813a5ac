//! Attentive probes: classifiers that choose by attention which patch tokens of a frozen network
//! they read (as in V-JEPA and CAPI).

mod fit;
mod head;

pub use fit::{AttentiveFit, AttentiveSettings, PatchFeatures};
pub use head::AttentiveHead;

#[cfg(test)]
mod tests;
