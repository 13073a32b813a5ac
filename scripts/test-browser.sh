#!/usr/bin/env bash
# core's unit tests and the official steps in a headless Chromium, on the CPU and on WebGPU (a software one).
# What is not there is installed: the tools into a cache folder, Chromium by apt-get if that is possible.
set -euo pipefail
cd "$(dirname "$0")/.."

tools="${XDG_CACHE_HOME:-$HOME/.cache}/ibot-rs/tools"
export PATH="$tools/bin:$PATH"
have() { command -v "$1" >/dev/null; }
# Built aside: the workspace's target folder is for the workspace.
install() { env -u CARGO_TARGET_DIR cargo install --root "$tools" --target-dir "$tools/build" "$@"; }

# The command and the crate of wasm-bindgen must be of one version.
[[ "$(wasm-bindgen --version 2>/dev/null)" == "wasm-bindgen 0.2.130" ]] || install wasm-bindgen-cli --version =0.2.130
have wasm-pack || install wasm-pack --version =0.15.1 --locked
if ! have chromedriver; then
    if ! have apt-get || [[ "$(id -u)" != 0 ]]; then
        echo "no chromedriver: install Chromium and its driver (on Debian: apt install chromium chromium-driver)" >&2
        exit 1
    fi
    apt-get update
    apt-get install --yes --no-install-recommends chromium chromium-driver
fi

# Seconds for each test program: a software WebGPU compiles its kernels slowly.
export WASM_BINDGEN_TEST_TIMEOUT="${WASM_BINDGEN_TEST_TIMEOUT:-900}"
export WASM_BINDGEN_TEST_WEBDRIVER_JSON="$PWD/tests/webdriver.json"
# All packages at once, so that burn is built once, with the features of the page.
wasm-pack test --headless --chrome --mode no-install core \
    --profile web -p ibot-core -p ibot-tests -p ibot-web --lib --test browser -- --nocapture
