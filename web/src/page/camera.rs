//! The camera, in a dialog.

use js_sys::Promise;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AddEventListenerOptions, Event, EventTarget, HtmlButtonElement, HtmlCanvasElement,
    HtmlDialogElement, HtmlVideoElement, MediaStream, MediaStreamConstraints, MediaStreamTrack,
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
        if devices.is_undefined() {
            return Err(PageError::Camera(
                "browsers lend it to pages at https:// or localhost alone".to_owned(),
            ));
        }
        let constraints = MediaStreamConstraints::new();
        constraints.set_video(&true.into());
        let stream = devices
            .get_user_media_with_constraints(&constraints)
            .map_err(failed)?;
        let stream: MediaStream = JsFuture::from(stream)
            .await
            .map_err(failed)?
            .unchecked_into();
        video.set_src_object(Some(&stream));
        let camera = Self { stream, video };
        JsFuture::from(camera.video.play().map_err(failed)?)
            .await
            .map_err(failed)?;
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
        dom::context(&canvas)?
            .draw_image_with_html_video_element_and_dw_and_dh(video, 0.0, 0.0, width, height)?;
        Ok(canvas)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        for track in self.stream.get_tracks().iter() {
            track.unchecked_into::<MediaStreamTrack>().stop();
        }
        // Another camera may have it by now.
        if self.video.src_object().as_ref() == Some(&self.stream) {
            self.video.set_src_object(None);
        }
    }
}

/// Lets the person take a picture; `None` if they change their mind.
///
/// # Errors
/// If there is no camera, or it is refused.
pub async fn picture() -> Result<Option<HtmlCanvasElement>, PageError> {
    let (dialog, take): (HtmlDialogElement, HtmlButtonElement) =
        (dom::by_id("camera")?, dom::by_id("camera-take")?);
    let camera = Camera::start(dom::by_id("camera-view")?).await?;
    let once = AddEventListenerOptions::new();
    once.set_once(true);
    let decided = Promise::new(&mut |decide, _| {
        let ends: [(&EventTarget, &str); 2] = [(&take, "click"), (&dialog, "close")];
        for (target, kind) in ends {
            // Adding a listener to an element that exists cannot fail.
            let _ = target.add_event_listener_with_callback_and_add_event_listener_options(
                kind, &decide, &once,
            );
        }
    });
    dialog.show_modal()?;
    let end: Event = JsFuture::from(decided).await?.unchecked_into();
    let picture = (end.type_() == "click").then(|| camera.picture(pictures::LONGEST));
    dialog.close();
    picture.transpose()
}
