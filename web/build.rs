//! One option for the linker.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Constructors register burn's operations. Unless they are exported, the linker has every
    // export run all of them, and JavaScript calls small exports thousands of times; the worker
    // runs them once instead.
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-bin=worker=--export=__wasm_call_ctors");
    }
}
