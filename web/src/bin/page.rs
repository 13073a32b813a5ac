//! The program that shows.

#[cfg(target_family = "wasm")]
#[path = "../page/mod.rs"]
mod page;

fn main() {
    #[cfg(target_family = "wasm")]
    page::run();
}
