#!/usr/bin/env bash
# core's unit tests and the official steps in a headless Chromium, on the CPU and on WebGPU (a software one).
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/tools.sh
need_rust target wasm32-unknown-unknown
need_wasm_bindgen
need_wasm_pack
need_debian chromedriver chromium chromium-driver

# Seconds for each test program: a software WebGPU compiles its kernels slowly.
export WASM_BINDGEN_TEST_TIMEOUT="${WASM_BINDGEN_TEST_TIMEOUT:-900}"
export WASM_BINDGEN_TEST_WEBDRIVER_JSON="$PWD/tests/webdriver.json"
# All packages at once, so that burn is built once, with the features of the page.
wasm-pack test --headless --chrome --mode no-install core \
    --profile web -p ibot-core -p ibot-tests -p ibot-web --lib --test browser -- --nocapture
