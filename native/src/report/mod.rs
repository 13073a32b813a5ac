//! What a person looks at while a run goes on and after it: TensorBoard events ([`tensorboard`]), training curves as a
//! self-contained SVG ([`curves`]) and a contact sheet of crops and masks ([`preview`]).
//!
//! The three know nothing of training or of each other: numbers and images come in, a file's content goes out.

pub mod curves;
pub mod preview;
pub mod tensorboard;
