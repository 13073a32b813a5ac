#!/usr/bin/env bash
# The page as it is delivered: lints, build, weight, and what a person does with it in a headless Chromium.
# The build is that of test-browser.sh: one profile, one burn.
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/tools.sh
need_rust target wasm32-unknown-unknown component clippy
need_trunk
need_debian node nodejs npm
need_debian npm npm
need_debian "${CHROMIUM:-chromium}" chromium

cargo clippy --profile web --target wasm32-unknown-unknown -p ibot-web --all-targets -- -D warnings
trunk build --release
npm --prefix web/e2e ci --no-audit --no-fund
node web/e2e/budget.mjs
# One file after another: times are measured, too.
node --test --test-reporter=spec --test-concurrency=1 web/e2e/*.test.mjs
