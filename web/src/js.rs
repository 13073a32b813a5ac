//! JavaScript functions that both programs need.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, milliseconds: f64);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// Milliseconds since the program started.
pub fn now() -> f64 {
    performance_now()
}

/// Waits. Even with 0 milliseconds, messages that have arrived are handled first.
pub async fn sleep(milliseconds: f64) {
    let timer = js_sys::Promise::new(&mut |resolve, _| set_timeout(&resolve, milliseconds));
    // A timer's promise is never rejected.
    let _ = JsFuture::from(timer).await;
}

/// An error in words: the message of an `Error`, else the value itself.
pub fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}
