//! WebGPU as the kernels need it.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// The feature of devices whose kernels exchange values within a subgroup.
const SUBGROUPS: &str = "subgroups";

/// What a browser would compute on.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// What it calls itself.
    pub name: String,
    /// Whether it is software on the CPU.
    pub software: bool,
}

/// The browser's WebGPU adapter; `None` if there is none.
///
/// # Errors
/// If the browser's `navigator.gpu` is not as specified.
pub async fn adapter() -> Result<Option<Adapter>, JsValue> {
    let gpu = Reflect::get(
        &Reflect::get(&js_sys::global(), &"navigator".into())?,
        &"gpu".into(),
    )?;
    if gpu.is_undefined() {
        return Ok(None);
    }
    let adapter: Promise = method(&gpu, "requestAdapter")?.call0(&gpu)?.dyn_into()?;
    let adapter = JsFuture::from(adapter).await?;
    if !adapter.is_object() {
        return Ok(None);
    }
    let info = Reflect::get(&adapter, &"info".into())?;
    let text = |key: &str| -> Option<String> {
        Reflect::get(&info, &key.into())
            .ok()?
            .as_string()
            .filter(|text| !text.is_empty())
    };
    let fallback = |of: &JsValue| {
        Reflect::get(of, &"isFallbackAdapter".into()).is_ok_and(|value| value.is_truthy())
    };
    let parts = ["vendor", "architecture", "device", "description"]
        .into_iter()
        .filter_map(text)
        .collect::<Vec<_>>();
    let name = if parts.is_empty() {
        "unnamed adapter".to_owned()
    } else {
        parts.join(" ")
    };
    let software =
        fallback(&adapter) || (info.is_object() && fallback(&info)) || name.contains("swiftshader");
    Ok(Some(Adapter { name, software }))
}

/// Makes every device of an adapter with subgroups have them. To be called once, before the first
/// device is made.
///
/// burn's kernels use subgroups wherever the adapter has them, but its wgpu 30 never asks the
/// browser for them. Such kernels are then rejected, and what they should have computed is garbage
/// without an error.
///
/// # Errors
/// If the browser's `navigator.gpu` is not as specified. Without WebGPU there is nothing to do.
pub fn allow_subgroups() -> Result<(), JsValue> {
    let gpu = Reflect::get(
        &Reflect::get(&js_sys::global(), &"navigator".into())?,
        &"gpu".into(),
    )?;
    if gpu.is_undefined() {
        return Ok(());
    }
    let (request, this) = (method(&gpu, "requestAdapter")?, gpu.clone());
    let with_subgroups =
        Closure::<dyn FnMut(JsValue) -> Result<Promise, JsValue>>::new(move |options: JsValue| {
            let adapter: Promise = request.call1(&this, &options)?.dyn_into()?;
            Ok(future_to_promise(async move {
                let adapter = JsFuture::from(adapter).await?;
                if !adapter.is_null() && has_subgroups(&adapter)? {
                    request_subgroups(&adapter)?;
                }
                Ok(adapter)
            }))
        });
    Reflect::set(
        &gpu,
        &"requestAdapter".into(),
        &with_subgroups.into_js_value(),
    )?;
    Ok(())
}

fn has_subgroups(adapter: &JsValue) -> Result<bool, JsValue> {
    let features = Reflect::get(adapter, &"features".into())?;
    Ok(method(&features, "has")?
        .call1(&features, &SUBGROUPS.into())?
        .is_truthy())
}

/// Adds the feature to those that devices of this adapter are asked for.
fn request_subgroups(adapter: &JsValue) -> Result<(), JsValue> {
    let (request, this, key) = (
        method(adapter, "requestDevice")?,
        adapter.clone(),
        JsValue::from("requiredFeatures"),
    );
    let with_subgroups = Closure::<dyn FnMut(JsValue) -> Result<JsValue, JsValue>>::new(
        move |descriptor: JsValue| {
            let descriptor = if descriptor.is_object() {
                descriptor
            } else {
                js_sys::Object::new().into()
            };
            let asked = Reflect::get(&descriptor, &key)?;
            let features = if asked.is_undefined() {
                Array::new()
            } else {
                Array::from(&asked)
            };
            features.push(&SUBGROUPS.into());
            Reflect::set(&descriptor, &key, &features)?;
            request.call1(&this, &descriptor)
        },
    );
    Reflect::set(
        adapter,
        &"requestDevice".into(),
        &with_subgroups.into_js_value(),
    )?;
    Ok(())
}

fn method(of: &JsValue, name: &str) -> Result<Function, JsValue> {
    Reflect::get(of, &name.into())?.dyn_into()
}
