//! Files in the browser's hands: download, read, make, save.

use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, HtmlAnchorElement, HtmlElement, Response, Url};

use super::problem::PageError;
use super::{dom, events};
use ibot_web::js;

// Milliseconds after which the browser has surely read a file that it saves.
const SAVED: f64 = 60_000.0;

pub async fn fetch(url: &str) -> Result<Response, PageError> {
    let response: Response = JsFuture::from(dom::window().fetch_with_str(url))
        .await
        .map_err(|error| not_loaded(url, js::describe(&error)))?
        .unchecked_into();

    if response.ok() {
        Ok(response)
    } else {
        let reason = format!("the server answers {}", response.status());
        Err(not_loaded(url, reason))
    }
}

pub fn not_loaded(url: &str, reason: String) -> PageError {
    PageError::Download {
        url: url.to_owned(),
        reason,
    }
}

pub async fn download(url: &str) -> Result<Blob, PageError> {
    let body = fetch(url).await?.blob()?;
    Ok(JsFuture::from(body).await?.unchecked_into())
}

pub fn of(bytes: &[u8]) -> Result<Blob, PageError> {
    let parts = Array::of1(&Uint8Array::from(bytes));
    Ok(Blob::new_with_u8_array_sequence(&parts)?)
}

/// # Errors
/// If the file was moved or changed since it was opened.
pub async fn bytes(blob: &Blob) -> Result<Vec<u8>, PageError> {
    let buffer: ArrayBuffer = JsFuture::from(blob.array_buffer()).await?.unchecked_into();
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// Offers the file as a download of this name.
pub fn save(file: &Blob, name: &str) -> Result<(), PageError> {
    let url = Url::create_object_url_with_blob(file)?;
    let link: HtmlAnchorElement = dom::create("a", "")?;
    link.set_href(&url);
    link.set_download(name);
    // A link is the only way by which a page hands over a file under a name.
    link.unchecked_ref::<HtmlElement>().click();

    // Until the address is revoked, the browser keeps the file in memory.
    events::start(async move {
        js::sleep(SAVED).await;
        Ok(Url::revoke_object_url(&url)?)
    });
    Ok(())
}
