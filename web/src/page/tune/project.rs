//! The project as a file: saved by hand, and by itself in this browser.

use std::rc::Rc;

use super::super::problem::PageError;
use super::Tune;

/// Wires the buttons.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(_tune: &Rc<Tune>) -> Result<(), PageError> {
    Ok(())
}

impl Tune {
    pub fn changed(self: &Rc<Self>) {}
}
