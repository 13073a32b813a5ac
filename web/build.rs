//! One option for the linker.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Constructors register burn's operations. Unless they are exported, the linker makes every
    // exported function run all of them first, and JavaScript calls small exported functions
    // thousands of times. So they are exported, and the worker runs them once.
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-bin=worker=--export=__wasm_call_ctors");
    }
}
