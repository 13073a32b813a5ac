//! Downloaded models, which the browser keeps (Cache Storage) until they are removed.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Cache, Response};

use super::dom;
use super::problem::PageError;

const CACHE: &str = "ibot-models";

async fn open() -> Result<Option<Cache>, PageError> {
    let caches = dom::window().caches()?;
    // Browsers offer this only to pages at `https://` or localhost.
    if caches.is_undefined() {
        return Ok(None);
    }

    let cache = JsFuture::from(caches.open(CACHE)).await?;
    Ok(Some(cache.unchecked_into()))
}

/// The file that was downloaded from this address, if it was kept.
///
/// # Errors
/// If the browser allows no storage, as in the private windows of some.
pub async fn find(url: &str) -> Result<Option<Blob>, PageError> {
    let Some(cache) = open().await? else {
        return Ok(None);
    };
    let found = JsFuture::from(cache.match_with_str(url)).await?;
    let Ok(response) = found.dyn_into::<Response>() else {
        return Ok(None);
    };

    let file = JsFuture::from(response.blob()?).await?;
    Ok(Some(file.unchecked_into()))
}

pub async fn keep(url: &str, file: &Blob) -> Result<(), PageError> {
    if let Some(cache) = open().await? {
        let response = Response::new_with_opt_blob(Some(file))?;
        JsFuture::from(cache.put_with_str(url, &response)).await?;
    }
    Ok(())
}

pub async fn count() -> Result<u32, PageError> {
    let Some(cache) = open().await? else {
        return Ok(0);
    };
    let keys: js_sys::Array = JsFuture::from(cache.keys()).await?.unchecked_into();
    Ok(keys.length())
}

pub async fn clear() -> Result<(), PageError> {
    JsFuture::from(dom::window().caches()?.delete(CACHE)).await?;
    Ok(())
}
