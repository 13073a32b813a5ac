//! What can go wrong on the page, in words for the person in front of it.

use wasm_bindgen::JsValue;

use ibot_web::js;

/// Why something did not happen.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// `index.html` and the program do not belong together.
    #[error("the page lacks `{0}`; reload it")]
    Missing(&'static str),
    /// The worker said why.
    #[error("{0}")]
    Worker(String),
    /// The worker's program is missing or broken.
    #[error("the program that computes does not start ({0}); reload the page")]
    NoWorker(String),
    /// The worker is no more.
    #[error(
        "the computation broke off and was started anew; try again, with a smaller image or model if it repeats"
    )]
    Gone,
    /// As [`Self::Gone`], when all is well again.
    #[error(
        "the computation broke off ({0}); it goes on, on the CPU. Try a smaller image or model if it repeats"
    )]
    Restarted(String),
    /// A file that is no image.
    #[error(
        "{name} is no image that this browser can read ({kind}); use JPEG, PNG, WebP, GIF, BMP or AVIF"
    )]
    NoImage {
        /// Name of the file.
        name: String,
        /// What the browser takes it for.
        kind: String,
    },
    /// A download that failed.
    #[error("{url} cannot be loaded: {reason}")]
    Download {
        /// Address.
        url: String,
        /// Why.
        reason: String,
    },
    /// There is nothing to learn a class from.
    #[error("{0} has no images yet; add some, or remove the class")]
    EmptyClass(String),
    /// The camera is not to be had.
    #[error("no camera: {0}")]
    Camera(String),
    /// The browser refused something.
    #[error("the browser refused: {0}")]
    Browser(String),
}

impl From<JsValue> for PageError {
    fn from(error: JsValue) -> Self {
        Self::Browser(js::describe(&error))
    }
}
