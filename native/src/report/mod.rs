//! What a person looks at while a run goes on and after it: TensorBoard events, training curves as
//! a self-contained SVG ([`curves`]), a contact sheet of crops and masks ([`preview`]), the figures of
//! the analysis commands ([`figures`]) and reports ([`document`]).
//!
//! They know nothing of training or of models: numbers and images come in, a file's content goes
//! out.

mod axis;
pub mod canvas;
pub mod curves;
pub mod document;
pub mod figures;
pub mod png;
pub mod preview;
pub mod sheet;
pub mod tensorboard;
