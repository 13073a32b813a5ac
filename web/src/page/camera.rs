//! The camera, in a dialog.

use futures_channel::oneshot;
use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Event, HtmlButtonElement, HtmlCanvasElement, HtmlDialogElement, HtmlVideoElement, MediaStream,
    MediaStreamConstraints, MediaStreamTrack,
};

use super::problem::PageError;
use super::{dom, pictures};
use ibot_web::js;

/// A camera that is on; off when dropped.
pub struct Camera {
    stream: MediaStream,
    video: HtmlVideoElement,
}

impl Camera {
    /// Asks the person for the camera and shows what it sees in `video`.
    ///
    /// # Errors
    /// If there is none, or it is refused.
    pub async fn start(video: HtmlVideoElement) -> Result<Self, PageError> {
        let failed = |error| PageError::Camera(js::describe(&error));
        let devices = dom::window().navigator().media_devices().map_err(failed)?;
        let constraints = MediaStreamConstraints::new();
        constraints.set_video(&true.into());
        let stream = devices.get_user_media_with_constraints(&constraints).map_err(failed)?;
        let stream: MediaStream = JsFuture::from(stream).await.map_err(failed)?.unchecked_into();
        video.set_src_object(Some(&stream));
        let camera = Self { stream, video };
        JsFuture::from(camera.video.play().map_err(failed)?).await.map_err(failed)?;
        Ok(camera)
    }

    /// What it sees now, at most `longest` pixels a side.
    ///
    /// # Errors
    /// If the browser cannot make a canvas.
    pub fn picture(&self, longest: f64) -> Result<HtmlCanvasElement, PageError> {
        let video = &self.video;
        let (width, height) = pictures::fit(video.video_width(), video.video_height(), longest);
        let canvas = dom::canvas(width as u32, height as u32)?;
        dom::context(&canvas)?.draw_image_with_html_video_element_and_dw_and_dh(video, 0.0, 0.0, width, height)?;
        Ok(canvas)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        for track in self.stream.get_tracks().iter() {
            track.unchecked_into::<MediaStreamTrack>().stop();
        }
        self.video.set_src_object(None);
    }
}

/// Lets the person take a picture; `None` if they change their mind.
///
/// # Errors
/// If there is no camera, or it is refused.
pub async fn picture() -> Result<Option<HtmlCanvasElement>, PageError> {
    let dialog: HtmlDialogElement = dom::by_id("camera")?;
    let camera = Camera::start(dom::by_id("camera-view")?).await?;
    let (sender, decision) = oneshot::channel();
    let sender = Rc::new(Cell::new(Some(sender)));
    let decide = |sender: &Rc<Cell<Option<oneshot::Sender<bool>>>>, take: bool| {
        if let Some(sender) = sender.take() {
            // The other end waits below.
            let _ = sender.send(take);
        }
    };
    let taken = sender.clone();
    dom::listen(&dom::by_id::<HtmlButtonElement>("camera-take")?, "click", move |_: Event| decide(&taken, true));
    dom::listen(&dialog, "close", move |_: Event| decide(&sender, false));
    dialog.show_modal()?;
    let take = decision.await.unwrap_or(false);
    let picture = if take { Some(camera.picture(pictures::LONGEST)?) } else { None };
    dialog.close();
    Ok(picture)
}
