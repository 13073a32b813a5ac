#!/usr/bin/env bash
# The page: `serve` (the default) builds it and shows it at http://127.0.0.1:8080, and again after every change;
# `build` leaves it in dist/, for any file server. What follows goes to trunk.
set -euo pipefail
cd "$(dirname "$0")/.."

command="${1:-serve}"
shift || true
if [[ "$command" != serve && "$command" != build ]]; then
    echo "usage: $0 [serve|build] [options of trunk]" >&2
    exit 2
fi
source scripts/tools.sh
need_rust target wasm32-unknown-unknown
need_trunk
exec trunk "$command" --release "$@"
