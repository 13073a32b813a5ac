//! The last project, kept by the browser (IndexedDB) until another takes its place.

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, IdbDatabase, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransactionMode,
};

use super::dom;
use super::problem::PageError;
use ibot_web::wire;

/// Name of the database, of its only store, and of the only record.
const DATABASE: &str = "ibot";
const STORE: &str = "projects";
const LAST: &str = "last";

/// A project that was kept.
pub struct Kept {
    /// What it is, in words.
    pub summary: String,
    /// Its file.
    pub file: Blob,
}

/// The project that was kept, if there is one.
///
/// # Errors
/// If the browser keeps nothing here, as in private windows of some.
pub async fn find() -> Result<Option<Kept>, PageError> {
    let record = done(
        &store(IdbTransactionMode::Readonly)
            .await?
            .get(&LAST.into())?,
    )
    .await?;
    let (summary, file) = (
        wire::property(&record, "summary"),
        wire::property(&record, "file"),
    );
    Ok(match (summary.as_string(), file.dyn_into()) {
        (Some(summary), Ok(file)) => Some(Kept { summary, file }),
        _ => None,
    })
}

/// Keeps a project in place of the last one.
///
/// # Errors
/// If there is no room.
pub async fn keep(project: &Kept) -> Result<(), PageError> {
    let record = Object::new();
    Reflect::set(&record, &"summary".into(), &project.summary.as_str().into())?;
    Reflect::set(&record, &"file".into(), &project.file)?;
    let store = store(IdbTransactionMode::Readwrite).await?;
    let request = store.put_with_key(&record, &LAST.into())?;
    written(&store, &request).await
}

/// Forgets the project.
///
/// # Errors
/// As [`find`].
pub async fn clear() -> Result<(), PageError> {
    let store = store(IdbTransactionMode::Readwrite).await?;
    let request = store.delete(&LAST.into())?;
    written(&store, &request).await
}

async fn store(mode: IdbTransactionMode) -> Result<IdbObjectStore, PageError> {
    let factory = dom::window()
        .indexed_db()?
        .ok_or(PageError::Missing("IndexedDB"))?;
    let request: IdbOpenDbRequest = factory.open_with_u32(DATABASE, 1)?;
    let opened = request.clone();
    let create = Closure::once_into_js(move || {
        if let Ok(database) = opened.result().and_then(JsCast::dyn_into::<IdbDatabase>) {
            // What goes wrong here fails the opening.
            let _ = database.create_object_store(STORE);
        }
    });
    request.set_onupgradeneeded(Some(create.unchecked_ref()));
    let database: IdbDatabase = done(&request).await?.dyn_into()?;
    let store = database
        .transaction_with_str_and_mode(STORE, mode)?
        .object_store(STORE)?;
    // Takes effect when the transaction is over.
    database.close();
    Ok(store)
}

/// Waits until a write is there to stay, whatever becomes of the page: its transaction is over.
async fn written(store: &IdbObjectStore, request: &IdbRequest) -> Result<(), PageError> {
    let transaction = store.transaction();
    let over = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });
    match JsFuture::from(over).await {
        Ok(_) => Ok(()),
        Err(_) => Err(failed(request)?),
    }
}

/// The result of a request.
async fn done(request: &IdbRequest) -> Result<JsValue, PageError> {
    let answered = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    match JsFuture::from(answered).await {
        Ok(_) => Ok(request.result()?),
        Err(_) => Err(failed(request)?),
    }
}

/// Why a request failed.
fn failed(request: &IdbRequest) -> Result<PageError, PageError> {
    let reason = request
        .error()?
        .map_or_else(String::new, |error| error.message());
    Ok(PageError::Browser(format!(
        "keeping the project in this browser ({reason})"
    )))
}
