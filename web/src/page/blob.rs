//! Files as the browser holds them: downloaded, read, made, saved.

use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, HtmlAnchorElement, HtmlElement, Response, Url};

use super::dom;
use super::problem::PageError;
use ibot_web::js;

/// The answer of an address, before its body is there.
///
/// # Errors
/// If nobody answers, or the answer is not the file.
pub async fn fetch(url: &str) -> Result<Response, PageError> {
    let failed = |reason| PageError::Download {
        url: url.to_owned(),
        reason,
    };
    let response = JsFuture::from(dom::window().fetch_with_str(url)).await;
    let response: Response = response
        .map_err(|error| failed(js::describe(&error)))?
        .unchecked_into();
    if response.ok() {
        Ok(response)
    } else {
        Err(failed(format!("the server answers {}", response.status())))
    }
}

/// The file at an address of this site.
///
/// # Errors
/// As [`fetch`].
pub async fn download(url: &str) -> Result<Blob, PageError> {
    Ok(JsFuture::from(fetch(url).await?.blob()?)
        .await?
        .unchecked_into())
}

/// A file of these bytes.
///
/// # Errors
/// If the browser has no memory for it.
pub fn of(bytes: &[u8]) -> Result<Blob, PageError> {
    Ok(Blob::new_with_u8_array_sequence(&Array::of1(
        &Uint8Array::from(bytes),
    ))?)
}

/// The bytes of a file.
///
/// # Errors
/// If it cannot be read any more.
pub async fn bytes(blob: &Blob) -> Result<Vec<u8>, PageError> {
    let buffer: ArrayBuffer = JsFuture::from(blob.array_buffer()).await?.unchecked_into();
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// Has the browser save a file.
///
/// # Errors
/// If it refuses.
pub fn save(file: &Blob, name: &str) -> Result<(), PageError> {
    let url = Url::create_object_url_with_blob(file)?;
    let link: HtmlAnchorElement = dom::create("a", "")?;
    link.set_href(&url);
    link.set_download(name);
    link.unchecked_ref::<HtmlElement>().click();
    dom::start(async move {
        // The browser has read it long before.
        js::sleep(60_000.0).await;
        Ok(Url::revoke_object_url(&url)?)
    });
    Ok(())
}
