//! Files and settings that are broken, huge or lying: each gives an error or a whole result, in
//! bounded time and memory.

#![cfg(not(target_family = "wasm"))]

mod fuzz;
mod inputs;
mod pth;
mod support;
