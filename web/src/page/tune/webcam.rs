//! The camera of the tab, which recording and classifying share.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use web_sys::{HtmlCanvasElement, HtmlElement, HtmlVideoElement};

use super::switch::Turn;
use crate::page::camera::Camera;
use crate::page::problem::PageError;
use crate::page::{dom, events};
use ibot_web::js;

// Milliseconds that the camera stays on after it was used, so that the next use starts at once.
const STAY_ON: f64 = 5000.0;

// Nothing else holds the camera on: it is on as long as a loop of `each_frame` has it, and
// `STAY_ON` longer. Recording and classifying may overlap.
#[derive(Default)]
pub struct Webcam {
    camera: RefCell<Weak<Camera>>,
}

impl Webcam {
    /// Calls `act` with frames of at most `longest` pixels a side, `pause` milliseconds apart.
    pub async fn each_frame(
        self: &Rc<Self>,
        turn: &Turn,
        longest: f64,
        pause: f64,
        act: impl AsyncFn(HtmlCanvasElement) -> Result<(), PageError>,
    ) -> Result<(), PageError> {
        let camera = self.switch_on().await?;

        let mut result = Ok(());
        // An error of one frame would be that of all.
        while result.is_ok() && turn.lasts() {
            result = match camera.picture(longest) {
                Ok(frame) => act(frame).await,
                Err(error) => Err(error),
            };
            if result.is_ok() {
                js::sleep(pause).await;
            }
        }

        self.release(camera);
        result
    }

    async fn switch_on(&self) -> Result<Rc<Camera>, PageError> {
        let running = self.camera.borrow().upgrade();
        if let Some(camera) = running {
            return Ok(camera);
        }

        let view: HtmlVideoElement = dom::by_id("tune-view")?;
        let camera = Rc::new(Camera::start(view.clone()).await?);
        view.set_hidden(false);
        self.camera.replace(Rc::downgrade(&camera));
        Ok(camera)
    }

    fn release(self: &Rc<Self>, camera: Rc<Camera>) {
        let webcam = self.clone();
        events::start(async move {
            js::sleep(STAY_ON).await;
            drop(camera);

            // Another use may have taken the camera meanwhile.
            let off = webcam.camera.borrow().upgrade().is_none();
            if off {
                dom::by_id::<HtmlElement>("tune-view")?.set_hidden(true);
            }
            Ok(())
        });
    }
}
