//! What the tests that cross crates share: the fixtures that the official implementation produced,
//! and its steps repeated on any device, natively and in a browser.

mod check;
mod fixture;
mod reproduce;
#[cfg(not(target_family = "wasm"))]
mod software_gpu;

pub use check::{BF16, Check, F16, FLEX, Tolerances, WGPU, relative_error};
pub use fixture::{Fixture, FixtureArch, FixtureConfig, LogEntry};
pub use reproduce::reproduce;
#[cfg(not(target_family = "wasm"))]
pub use software_gpu::run_alone_on_a_software_gpu;
