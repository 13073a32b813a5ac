//! Models that were downloaded, kept by the browser (Cache Storage) until they are removed.
//! Browsers have no such place for pages without `https://`; nothing is kept then.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Cache, Response};

use super::dom;
use super::problem::PageError;

/// Name of the cache.
const CACHE: &str = "ibot-models";

async fn open() -> Result<Option<Cache>, PageError> {
    let caches = dom::window().caches()?;
    if caches.is_undefined() {
        return Ok(None);
    }
    Ok(Some(
        JsFuture::from(caches.open(CACHE)).await?.unchecked_into(),
    ))
}

/// The file of this address, if it is kept.
///
/// # Errors
/// If the browser keeps nothing here, as in private windows of some.
pub async fn find(url: &str) -> Result<Option<Blob>, PageError> {
    let Some(cache) = open().await? else {
        return Ok(None);
    };
    let found = JsFuture::from(cache.match_with_str(url)).await?;
    match found.dyn_into::<Response>() {
        Ok(response) => Ok(Some(
            JsFuture::from(response.blob()?).await?.unchecked_into(),
        )),
        Err(_) => Ok(None),
    }
}

/// Keeps a file.
///
/// # Errors
/// If there is no room.
pub async fn keep(url: &str, file: &Blob) -> Result<(), PageError> {
    if let Some(cache) = open().await? {
        let response = Response::new_with_opt_blob(Some(file))?;
        JsFuture::from(cache.put_with_str(url, &response)).await?;
    }
    Ok(())
}

/// How many files are kept.
///
/// # Errors
/// As [`find`].
pub async fn count() -> Result<u32, PageError> {
    let Some(cache) = open().await? else {
        return Ok(0);
    };
    let keys: js_sys::Array = JsFuture::from(cache.keys()).await?.unchecked_into();
    Ok(keys.length())
}

/// Removes all files.
///
/// # Errors
/// As [`find`].
pub async fn clear() -> Result<(), PageError> {
    JsFuture::from(dom::window().caches()?.delete(CACHE)).await?;
    Ok(())
}
