//! The browser's WebGPU, with the features that the kernels need.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// The feature of devices whose kernels exchange values within a subgroup.
const SUBGROUPS: &str = "subgroups";
/// Properties of an adapter's info that together name it.
const NAMES: [&str; 4] = ["vendor", "architecture", "device", "description"];

#[derive(Clone, Debug)]
pub struct Adapter {
    pub name: String,
    /// Whether it is software on the CPU.
    pub software: bool,
}

pub async fn adapter() -> Result<Option<Adapter>, JsValue> {
    let gpu = navigator_gpu()?;
    if gpu.is_undefined() {
        return Ok(None);
    }
    let adapter: Promise = method(&gpu, "requestAdapter")?.call0(&gpu)?.dyn_into()?;
    let adapter = JsFuture::from(adapter).await?;
    if !adapter.is_object() {
        return Ok(None);
    }

    let info = Reflect::get(&adapter, &"info".into())?;
    let name = name_of(&info);
    // Where a browser has this property, and whether at all, depends on its age.
    let fallback = is_fallback(&adapter) || (info.is_object() && is_fallback(&info));
    // Chrome's software adapter does not always say that it is one.
    let software = fallback || name.contains("swiftshader");
    Ok(Some(Adapter { name, software }))
}

fn navigator_gpu() -> Result<JsValue, JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
    Reflect::get(&navigator, &"gpu".into())
}

fn name_of(info: &JsValue) -> String {
    let mut parts = Vec::new();
    for key in NAMES {
        let part = Reflect::get(info, &key.into()).ok();
        if let Some(part) = part.and_then(|part| part.as_string()) {
            parts.push(part);
        }
    }
    parts.retain(|part| !part.is_empty());

    match parts.is_empty() {
        true => "unnamed adapter".to_owned(),
        false => parts.join(" "),
    }
}

fn is_fallback(object: &JsValue) -> bool {
    Reflect::get(object, &"isFallbackAdapter".into()).is_ok_and(|value| value.is_truthy())
}

/// Makes every device of an adapter with subgroups have them, from the next device on.
pub fn allow_subgroups() -> Result<(), JsValue> {
    let gpu = navigator_gpu()?;
    if gpu.is_undefined() {
        return Ok(());
    }
    // burn's kernels use subgroups wherever the adapter has them. But its wgpu 30 never asks the
    // browser for them. Such kernels are then rejected without an error, and their results are
    // wrong.
    let request = method(&gpu, "requestAdapter")?;
    let this = gpu.clone();

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

fn request_subgroups(adapter: &JsValue) -> Result<(), JsValue> {
    let request = method(adapter, "requestDevice")?;
    let this = adapter.clone();

    let with_subgroups = Closure::<dyn FnMut(JsValue) -> Result<JsValue, JsValue>>::new(
        move |descriptor: JsValue| request.call1(&this, &add_subgroups(descriptor)?),
    );
    Reflect::set(
        adapter,
        &"requestDevice".into(),
        &with_subgroups.into_js_value(),
    )?;
    Ok(())
}

/// The descriptor, or a new one if it is undefined, with the feature.
fn add_subgroups(descriptor: JsValue) -> Result<JsValue, JsValue> {
    let key = JsValue::from("requiredFeatures");
    let descriptor = match descriptor.is_object() {
        true => descriptor,
        false => js_sys::Object::new().into(),
    };

    let features = Reflect::get(&descriptor, &key)?;
    let features = match features.is_undefined() {
        true => Array::new(),
        false => Array::from(&features),
    };
    features.push(&SUBGROUPS.into());
    Reflect::set(&descriptor, &key, &features)?;
    Ok(descriptor)
}

fn method(of: &JsValue, name: &str) -> Result<Function, JsValue> {
    Reflect::get(of, &name.into())?.dyn_into()
}
