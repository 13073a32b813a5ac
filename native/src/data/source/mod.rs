//! The kinds of places that images come from.

pub(super) mod annotated;
pub(super) mod archive;
pub(super) mod builtin;
pub(super) mod copydays;
pub(super) mod davis;
pub(super) mod folder;
pub(super) mod idx;
pub(super) mod landmarks;
pub(super) mod list;
pub(super) mod positioned;
