//! The model panel: the included model, a file, or an address.

use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, DragEvent, Event, File, HtmlButtonElement, HtmlElement, HtmlFormElement,
    HtmlInputElement, HtmlProgressElement, ReadableStreamDefaultReader, Response,
};

use super::client::Client;
use super::problem::PageError;
use super::{blob, dom, events, status, store};
use ibot_web::protocol::ModelInfo;
use ibot_web::{js, wire};

/// The model beside the page.
const INCLUDED: &str = "model.safetensors";

pub fn wire(client: &Rc<Client>) -> Result<(), PageError> {
    let field = events::on_files("model-file", client, load_first)?;
    events::open_on_click("model-open", &field)?;
    events::on_click("model-included", client, |client| async move {
        load_included(&client).await
    })?;
    events::on_click("model-forget", client, |_| forget_downloaded())?;

    let panel: HtmlElement = dom::by_id("model")?;
    events::on(&panel, "drop", client, |client, event: DragEvent| {
        // By default the browser would leave the page and open the file.
        event.prevent_default();
        let data = event.data_transfer();
        load_first(client, dom::files(data.and_then(|data| data.files())));
    });

    let form: HtmlFormElement = dom::by_id("model-from-url")?;
    let address: HtmlInputElement = dom::by_id("model-url")?;
    events::on(&form, "submit", client, move |client, event: Event| {
        // By default the browser would load the page again.
        event.prevent_default();
        let client = client.clone();
        let url = address.value();
        events::start(async move { load_url(&client, url.trim()).await });
    });

    events::start(show_downloaded());
    Ok(())
}

pub async fn load_included(client: &Client) -> Result<(), PageError> {
    let file = download(INCLUDED).await?;
    client.load("the included model", file).await
}

pub fn describe(model: &ModelInfo) -> Result<(), PageError> {
    dom::set_text("model-name", &model.name)?;
    dom::set_text("model-network", &model.network)?;
    dom::set_text("model-report", &model.report)
}

fn load_first(client: &Rc<Client>, files: Vec<File>) {
    if let Some(file) = files.into_iter().next() {
        let client = client.clone();
        events::start(async move { client.load(&file.name(), file.into()).await });
    }
}

async fn load_url(client: &Client, url: &str) -> Result<(), PageError> {
    let name = url.rsplit('/').find(|part| !part.is_empty()).unwrap_or(url);

    // The browser keeps the file, so that it is downloaded only once.
    match store::find(url).await? {
        Some(file) => client.load(name, file).await?,
        None => {
            let file = download(url).await?;
            // A file without a model is not worth keeping.
            client.load(name, file.clone()).await?;
            store::keep(url, &file).await?;
        }
    }
    show_downloaded().await
}

async fn forget_downloaded() -> Result<(), PageError> {
    store::clear().await?;
    status::say("Downloaded models are removed.");
    show_downloaded().await
}

async fn show_downloaded() -> Result<(), PageError> {
    let count = store::count().await?;
    let button: HtmlButtonElement = dom::by_id("model-forget")?;
    button.set_hidden(count == 0);
    button.set_text_content(Some(&format!("Remove {count} downloaded")));
    Ok(())
}

async fn download(url: &str) -> Result<Blob, PageError> {
    let response = blob::fetch(url).await?;
    let bar: HtmlProgressElement = dom::by_id("model-progress")?;

    bar.set_hidden(false);
    let chunks = read_body(url, &response, &bar).await;
    // Also after an error.
    bar.set_hidden(true);

    let chunks = chunks?;
    Ok(Blob::new_with_u8_array_sequence(&chunks)?)
}

async fn read_body(
    url: &str,
    response: &Response,
    bar: &HtmlProgressElement,
) -> Result<Array, PageError> {
    let length = response.headers().get("content-length")?;
    let length = length.and_then(|length| length.parse::<f64>().ok());
    let body = response
        .body()
        .ok_or_else(|| blob::not_loaded(url, "the answer is empty".to_owned()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();

    let chunks = Array::new();
    let mut bytes = 0.0;
    loop {
        let chunk = JsFuture::from(reader.read())
            .await
            .map_err(|error| blob::not_loaded(url, js::describe(&error)))?;
        let Ok(chunk) = wire::property(&chunk, "value").dyn_into::<Uint8Array>() else {
            return Ok(chunks);
        };
        bytes += f64::from(chunk.length());
        chunks.push(&chunk);

        status::say(&format!("Downloading {url}: {:.1} MB", bytes / 1e6));
        // The length is of the compressed file, which may be shorter than what arrives here.
        bar.set_value(length.map_or(0.0, |length| (bytes / length).min(1.0)));
    }
}
