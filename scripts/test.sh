#!/usr/bin/env bash
# Everything that must hold: format, lints, tests natively and in a browser, documentation.
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/tools.sh
need_rust component rustfmt component clippy
need_software_gpu

step() { printf '\n== %s\n' "$*"; "$@"; }

# One profile for everything, so that dependencies are built once for running, testing and linting.
step cargo fmt --all --check
step cargo test --release --workspace
step cargo clippy --release --workspace --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --release --workspace --no-deps
step ./scripts/test-browser.sh
step ./scripts/test-web.sh
