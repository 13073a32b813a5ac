//! The official steps in a browser's worker, on the CPU and on WebGPU: the bodies of `parity.rs`.
//!
//! `scripts/test-browser.sh` runs them in a headless Chromium, whose WebGPU is a software one.

#![cfg(target_family = "wasm")]

use burn::tensor::Device;
use ibot_tests::{FLEX, Fixture, FixtureArch, WGPU, reproduce};
use ibot_web::webgpu::allow_subgroups;
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
async fn flex_reproduces_the_official_steps() {
    for fixture in Fixture::all() {
        reproduce(&fixture, &Device::flex(), &FLEX, fixture.log.len()).await;
    }
}

/// Steps on WebGPU: the first compiles most kernels, the second sees what the first changed.
const STEPS: usize = 2;

/// A browser without WebGPU fails: a test without its device must not pass.
#[wasm_bindgen_test]
async fn webgpu_reproduces_the_official_steps() {
    allow_subgroups().expect("a browser whose WebGPU is as specified, or has none");
    let device = Device::wgpu_options().init_async().await;
    let device = device.expect(
        "a WebGPU adapter: Chromium needs --enable-unsafe-webgpu, see tests/webdriver.json",
    );
    // A Swin was not made to work on a software GPU yet: docs/parity.md.
    let fixtures = Fixture::all().into_iter();
    for fixture in fixtures.filter(|fixture| fixture.config.arch == FixtureArch::Vit) {
        reproduce(&fixture, &device, &WGPU, STEPS).await;
    }
}

#[wasm_bindgen_test]
async fn devices_have_the_subgroups_of_their_adapter() {
    allow_subgroups().expect("a browser whose WebGPU is as specified, or has none");
    let gpu = get(&get(&js_sys::global(), "navigator"), "gpu");
    let adapter = JsFuture::from(Promise::from(call(
        &gpu,
        "requestAdapter",
        &JsValue::UNDEFINED,
    )))
    .await;
    let adapter = adapter.expect("an adapter");
    let device = JsFuture::from(Promise::from(call(
        &adapter,
        "requestDevice",
        &JsValue::UNDEFINED,
    )))
    .await;
    let has = |of: &JsValue| call(&get(of, "features"), "has", &"subgroups".into()).is_truthy();
    assert_eq!(has(&device.expect("a device")), has(&adapter));
}

fn get(of: &JsValue, name: &str) -> JsValue {
    Reflect::get(of, &name.into()).expect("a property")
}

fn call(this: &JsValue, name: &str, argument: &JsValue) -> JsValue {
    get(this, name)
        .unchecked_into::<Function>()
        .call1(this, argument)
        .expect("a method that returns")
}
