//! Errors of the page, in words for the person in front of it.

use wasm_bindgen::JsValue;

use ibot_web::js;

#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// `index.html` and the program are of different versions.
    #[error("the page lacks `{0}`; reload it")]
    Missing(&'static str),
    /// The worker's reason.
    #[error("{0}")]
    Worker(String),
    #[error("the program that computes does not start ({0}); reload the page")]
    NoWorker(String),
    /// The worker ended before it answered.
    #[error(
        "the computation broke off and was started anew; try again, with a smaller image or model if it repeats"
    )]
    Gone,
    /// The worker ended, and another one has taken its place.
    #[error(
        "the computation broke off ({0}); it goes on, on the CPU. Try a smaller image or model if it repeats"
    )]
    Restarted(String),
    #[error(
        "{name} is no image that this browser can read ({kind}); use JPEG, PNG, WebP, GIF, BMP or AVIF"
    )]
    NoImage { name: String, kind: String },
    #[error("{url} cannot be loaded: {reason}")]
    Download { url: String, reason: String },
    #[error("{0} has no images yet; add some, or remove the class")]
    EmptyClass(String),
    #[error("no camera: {0}")]
    Camera(String),
    #[error("the browser refused: {0}")]
    Browser(String),
}

impl From<JsValue> for PageError {
    fn from(error: JsValue) -> Self {
        Self::Browser(js::describe(&error))
    }
}
