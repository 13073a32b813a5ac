//! Explore: two images, and what their patch tokens hold.

mod controls;
mod drawing;
mod files;
mod input;
mod legend;
mod mask;
mod paint;
mod painted;
mod prediction;
mod reading;
mod samples;
mod slots;
mod stage;
mod state;
mod tab;

use std::rc::Rc;

use super::client::Client;
use super::problem::PageError;
pub use samples::show_samples;
pub use tab::Explore;

pub fn start(client: &Rc<Client>) -> Result<Rc<Explore>, PageError> {
    let explore = Explore::new(client)?;
    input::wire(&explore)?;
    files::wire(&explore)?;
    Ok(explore)
}
