//! What the tests that cross crates share: the fixtures that the official implementation produced,
//! and its steps repeated on any device, natively and in a browser.

mod check;
mod fixture;
mod reproduce;

pub use check::{BF16, Check, F16, FLEX, Tolerances, WGPU, relative_error};
pub use fixture::{Fixture, FixtureConfig, LogEntry};
pub use reproduce::reproduce;
