//! Which model: the included one, a file, or an address.

use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, DragEvent, Event, HtmlButtonElement, HtmlElement, HtmlFormElement, HtmlInputElement,
    HtmlProgressElement, ReadableStreamDefaultReader,
};

use super::app::App;
use super::problem::PageError;
use super::{blob, dom, files, status, store};
use ibot_web::js;
use ibot_web::protocol::Loaded;

/// The model beside the page.
const INCLUDED: &str = "model.safetensors";

/// Loads the model beside the page.
///
/// # Errors
/// If it is missing or broken.
pub async fn load_included(app: &Rc<App>) -> Result<(), PageError> {
    let file = download(INCLUDED).await?;
    app.load("the included model", file).await.map(drop)
}

/// Wires the panel.
///
/// # Errors
/// If the page lacks a part.
pub fn wire(app: &Rc<App>) -> Result<(), PageError> {
    let input: HtmlInputElement = dom::by_id("model-file")?;
    let (at, field) = (app.clone(), input.clone());
    dom::listen(&input, "change", move |_: Event| {
        load_file(&at, files::list(field.files()));
        field.set_value("");
    });
    let opens = input.clone();
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("model-open")?,
        "click",
        move |_: Event| opens.click(),
    );
    let at = app.clone();
    dom::listen(
        &dom::by_id::<HtmlElement>("model")?,
        "drop",
        move |event: DragEvent| {
            event.prevent_default();
            load_file(
                &at,
                files::list(event.data_transfer().and_then(|data| data.files())),
            );
        },
    );
    let at = app.clone();
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("model-included")?,
        "click",
        move |_: Event| {
            let app = at.clone();
            dom::start(async move { load_included(&app).await });
        },
    );
    let (at, address) = (app.clone(), dom::by_id::<HtmlInputElement>("model-url")?);
    dom::listen(
        &dom::by_id::<HtmlFormElement>("model-from-url")?,
        "submit",
        move |event: Event| {
            event.prevent_default();
            let (app, url) = (at.clone(), address.value());
            dom::start(async move { load_url(&app, url.trim()).await });
        },
    );
    dom::listen(
        &dom::by_id::<HtmlButtonElement>("model-forget")?,
        "click",
        move |_: Event| {
            dom::start(async {
                store::clear().await?;
                status::say("Downloaded models are removed.");
                show_kept().await
            });
        },
    );
    dom::start(show_kept());
    Ok(())
}

/// Says which model it is.
///
/// # Errors
/// If the page lacks a part.
pub fn describe(loaded: &Loaded) -> Result<(), PageError> {
    let text = |id, text: &str| -> Result<(), PageError> {
        dom::by_id::<HtmlElement>(id)?.set_text_content(Some(text));
        Ok(())
    };
    text("model-name", &loaded.name)?;
    text("model-network", &loaded.network)?;
    text("model-report", &loaded.report)
}

fn load_file(app: &Rc<App>, files: Vec<web_sys::File>) {
    if let Some(file) = files.into_iter().next() {
        let app = app.clone();
        dom::start(async move { app.load(&file.name(), file.into()).await.map(drop) });
    }
}

/// Loads from an address, once: the browser keeps the file.
async fn load_url(app: &Rc<App>, url: &str) -> Result<(), PageError> {
    let kept = store::find(url).await?;
    let (file, fresh) = match kept {
        Some(file) => (file, false),
        None => (download(url).await?, true),
    };
    let name = url.rsplit('/').find(|part| !part.is_empty()).unwrap_or(url);
    app.load(name, file.clone()).await?;
    // What is no model is not worth keeping.
    if fresh {
        store::keep(url, &file).await?;
    }
    show_kept().await
}

async fn show_kept() -> Result<(), PageError> {
    let count = store::count().await?;
    let button: HtmlButtonElement = dom::by_id("model-forget")?;
    button.set_hidden(count == 0);
    button.set_text_content(Some(&format!("Remove {count} downloaded")));
    Ok(())
}

/// Downloads a file and shows how much of it is there.
async fn download(url: &str) -> Result<Blob, PageError> {
    let failed = |reason: String| PageError::Download {
        url: url.to_owned(),
        reason,
    };
    let response = blob::fetch(url).await?;
    let total = response
        .headers()
        .get("content-length")?
        .and_then(|length| length.parse::<f64>().ok());
    let body = response
        .body()
        .ok_or_else(|| failed("the answer is empty".to_owned()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let bar: HtmlProgressElement = dom::by_id("model-progress")?;
    bar.set_hidden(false);
    let (parts, mut bytes) = (Array::new(), 0.0);
    let result = loop {
        let chunk = match JsFuture::from(reader.read()).await {
            Ok(chunk) => chunk,
            Err(error) => break Err(failed(js::describe(&error))),
        };
        let value = ibot_web::wire::property(&chunk, "value");
        let Ok(part) = value.dyn_into::<Uint8Array>() else {
            break Ok(());
        };
        bytes += f64::from(part.length());
        parts.push(&part);
        status::say(&format!("Downloading {url}: {:.1} MB", bytes / 1e6));
        // Compressed on the way, a file is longer than what was announced.
        bar.set_value(total.map_or(0.0, |total| (bytes / total).min(1.0)));
    };
    bar.set_hidden(true);
    result?;
    Ok(Blob::new_with_u8_array_sequence(&parts)?)
}
