//! The program that computes.

#[cfg(target_family = "wasm")]
#[path = "../worker/mod.rs"]
mod worker;

fn main() {
    #[cfg(target_family = "wasm")]
    worker::run();
}
