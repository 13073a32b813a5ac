//! Fine-tune: classes from a few images, learned in this tab.

mod cards;
mod classes;
mod confusion;
mod folder;
mod input;
mod lesson;
mod modes;
mod plot;
mod project;
mod results;
mod samples;
mod saving;
mod state;
mod switch;
mod tab;
mod trial;
mod webcam;

use std::rc::Rc;

use super::client::Client;
use super::problem::PageError;
pub use saving::offer_last;
pub use tab::Tune;

pub fn start(client: &Rc<Client>) -> Result<Rc<Tune>, PageError> {
    let tune = Tune::new(client);
    lesson::wire(&tune)?;
    samples::wire(&tune)?;
    input::wire(&tune)?;
    classes::wire(&tune)?;
    trial::wire(&tune)?;
    project::wire(&tune)?;
    Ok(tune)
}
