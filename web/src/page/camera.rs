//! The camera, and the dialog that takes one picture with it.

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

/// A camera that is on. It goes off when this is dropped.
pub struct Camera {
    stream: MediaStream,
    video: HtmlVideoElement,
}

impl Camera {
    /// Asks the person for the camera, and shows its stream in `video`.
    ///
    /// # Errors
    /// If there is no camera, or the person refuses.
    pub async fn start(video: HtmlVideoElement) -> Result<Self, PageError> {
        let stream = stream().await?;
        video.set_src_object(Some(&stream));

        let camera = Self { stream, video };
        let playing = camera.video.play().map_err(camera_error)?;
        JsFuture::from(playing).await.map_err(camera_error)?;
        Ok(camera)
    }

    /// The current frame, with at most `longest` pixels a side.
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
        // A camera that was started later may use the element by now.
        if self.video.src_object().as_ref() == Some(&self.stream) {
            self.video.set_src_object(None);
        }
    }
}

async fn stream() -> Result<MediaStream, PageError> {
    let devices = dom::window()
        .navigator()
        .media_devices()
        .map_err(camera_error)?;
    if devices.is_undefined() {
        return Err(PageError::Camera(
            "browsers allow it only to pages at https:// or localhost".to_owned(),
        ));
    }

    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&true.into());
    let stream = devices
        .get_user_media_with_constraints(&constraints)
        .map_err(camera_error)?;
    let stream = JsFuture::from(stream).await.map_err(camera_error)?;
    Ok(stream.unchecked_into())
}

fn camera_error(error: wasm_bindgen::JsValue) -> PageError {
    PageError::Camera(js::describe(&error))
}

/// Lets the person take a picture; `None` if they cancel.
pub async fn take_picture() -> Result<Option<HtmlCanvasElement>, PageError> {
    let dialog: HtmlDialogElement = dom::by_id("camera")?;
    let take: HtmlButtonElement = dom::by_id("camera-take")?;
    let camera = Camera::start(dom::by_id("camera-view")?).await?;

    // The first of the two events decides.
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
