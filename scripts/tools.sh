# Sourced by scripts that build or test the page: programs that cargo does not bring, at the versions that fit.
# What is missing is installed: Rust's programs into a cache folder, Debian's by apt-get where that is possible.

tools="${XDG_CACHE_HOME:-$HOME/.cache}/ibot-rs/tools"
export PATH="$tools/bin:$PATH"

# need_rust [component|target NAME]...: parts of the toolchain. rustup adds what rust-toolchain.toml names only while it
# installs a toolchain: one that is already there, as on build servers and in images, stays as it is.
need_rust() {
    if ! command -v rustup >/dev/null; then
        echo "no rustup: install it from https://rustup.rs, or install Rust's $* yourself" >&2
        return
    fi
    local toolchain
    toolchain="$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)"
    # `toolchain install` would update a toolchain that is there; the two below only add.
    rustup run "$toolchain" rustc --version >/dev/null 2>&1 || rustup toolchain install "$toolchain" --profile minimal --no-self-update
    while (($#)); do
        rustup --quiet "$1" add --toolchain "$toolchain" "$2"
        shift 2
    done
}

# need_crate PROGRAM CRATE VERSION: a program that cargo installs.
need_crate() {
    [[ "$("$1" --version 2>/dev/null)" == "$1 $3" ]] && return
    # Built aside: the workspace's target folder is for the workspace. These programs run for seconds, so what counts is
    # how fast they build; trunk's own profile optimises the whole program at once, on one core.
    local install=(env -u CARGO_TARGET_DIR
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
        cargo install --root "$tools" --target-dir "$tools/build" "$2" --version "=$3")
    # A registry that lags behind lacks some of the newest versions that a lock file names; others do as well.
    "${install[@]}" --locked || "${install[@]}"
}

# need_debian PROGRAM PACKAGE...: a program that the system brings.
need_debian() {
    local program="$1"
    shift
    command -v "$program" >/dev/null && return
    if ! command -v apt-get >/dev/null || [[ "$(id -u)" != 0 ]]; then
        echo "no $program: install it (on Debian: apt install $*)" >&2
        exit 1
    fi
    apt-get update
    apt-get install --yes --no-install-recommends "$@"
}

# need_software_gpu: OpenGL on the CPU, for the parity test.
need_software_gpu() {
    ldconfig -p | grep -q libEGL_mesa && return
    need_debian no-program-but-libraries libegl1 libgl1-mesa-dri
}

# The command and the crate of wasm-bindgen must be of one version.
need_wasm_bindgen() { need_crate wasm-bindgen wasm-bindgen-cli 0.2.130; }
need_wasm_pack() { need_crate wasm-pack wasm-pack 0.15.1; }
need_trunk() {
    need_wasm_bindgen
    need_crate trunk trunk 0.21.14
    # It would ask the network for a newer one.
    export TRUNK_SKIP_VERSION_CHECK=true
}
