//! Inputs that are broken, huge, lying or wrongly named: what is said, that the rest is kept, and
//! what memory it takes.
//!
//! Each reader has more of these beside its code; what damage at random does is in `fuzz`.

mod archives;
mod checks;
mod images;
mod settings;
