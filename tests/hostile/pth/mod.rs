//! Checkpoints that lie: no input makes a panic, a deep recursion, or an allocation beyond a
//! multiple of the file.

mod claims;
mod damaged;
mod make;
mod read;
mod structures;
