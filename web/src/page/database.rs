//! The last project. The browser keeps it (IndexedDB) until another one replaces it.

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, IdbDatabase, IdbObjectStore, IdbOpenDbRequest, IdbRequest, IdbTransactionMode,
};

use super::dom;
use super::problem::PageError;
use ibot_web::wire;

const DATABASE: &str = "ibot";
const STORE: &str = "projects";
const LAST: &str = "last";

pub struct SavedProject {
    /// What is in it, for a person.
    pub summary: String,
    pub file: Blob,
}

/// # Errors
/// If the browser allows no storage, as in the private windows of some.
pub async fn find() -> Result<Option<SavedProject>, PageError> {
    let store = store(IdbTransactionMode::Readonly).await?;
    let record = result_of(&store.get(&LAST.into())?).await?;

    let summary = wire::property(&record, "summary").as_string();
    let file = wire::property(&record, "file").dyn_into().ok();
    Ok(summary
        .zip(file)
        .map(|(summary, file)| SavedProject { summary, file }))
}

pub async fn keep(project: &SavedProject) -> Result<(), PageError> {
    let record = Object::new();
    Reflect::set(&record, &"summary".into(), &project.summary.as_str().into())?;
    Reflect::set(&record, &"file".into(), &project.file)?;

    let store = store(IdbTransactionMode::Readwrite).await?;
    let request = store.put_with_key(&record, &LAST.into())?;
    commit(&store, &request).await
}

pub async fn clear() -> Result<(), PageError> {
    let store = store(IdbTransactionMode::Readwrite).await?;
    let request = store.delete(&LAST.into())?;
    commit(&store, &request).await
}

async fn store(mode: IdbTransactionMode) -> Result<IdbObjectStore, PageError> {
    let factory = dom::window()
        .indexed_db()?
        .ok_or(PageError::Missing("IndexedDB"))?;
    // Version 1: another one would ask every browser to change its store.
    let request: IdbOpenDbRequest = factory.open_with_u32(DATABASE, 1)?;

    // The first visit makes the store.
    let opened = request.clone();
    let create = Closure::once_into_js(move || {
        if let Ok(database) = opened.result().and_then(JsCast::dyn_into::<IdbDatabase>) {
            // If this fails, so does the opening, which reports it.
            let _ = database.create_object_store(STORE);
        }
    });
    request.set_onupgradeneeded(Some(create.unchecked_ref()));

    let database: IdbDatabase = result_of(&request).await?.dyn_into()?;
    let store = database
        .transaction_with_str_and_mode(STORE, mode)?
        .object_store(STORE)?;
    // Takes effect when the transaction is over.
    database.close();
    Ok(store)
}

async fn commit(store: &IdbObjectStore, request: &IdbRequest) -> Result<(), PageError> {
    let transaction = store.transaction();
    // After its transaction is complete, closing the page cannot undo a write.
    let complete = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
    });

    match JsFuture::from(complete).await {
        Ok(_) => Ok(()),
        Err(_) => Err(error_of(request)?),
    }
}

async fn result_of(request: &IdbRequest) -> Result<JsValue, PageError> {
    let answered = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });

    match JsFuture::from(answered).await {
        Ok(_) => Ok(request.result()?),
        Err(_) => Err(error_of(request)?),
    }
}

fn error_of(request: &IdbRequest) -> Result<PageError, PageError> {
    let reason = request
        .error()?
        .map_or_else(String::new, |error| error.message());
    Ok(PageError::Browser(format!(
        "keeping the project in this browser ({reason})"
    )))
}
