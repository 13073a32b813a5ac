//! Python's pickles from anyone, read without running any code in them.
//!
//! A pickle is a program for a small machine. Here the machine makes no calls and imports nothing:
//! it builds a graph of inert values. [`Pickle`] reads the plain ones among them: dictionaries,
//! lists, texts, numbers and arrays of numpy. Files of torch, which have a pickle inside, are read
//! by [`weights::pth`](crate::weights::pth).
//!
//! A file may lie. Nothing recurses, no input makes a panic, and a size that the file claims is
//! never allocated before the bytes are seen to be there. A pickle may share one value in many
//! places, so who walks through it keeps count of what it takes.

mod array;
mod cursor;
mod error;
mod graph;
mod machine;
mod node;
mod opcode;
mod value;

pub use error::PickleError;
pub(crate) use graph::Graph;
pub(crate) use machine::unpickle;
pub(crate) use node::{Id, NIL, Node};
pub use value::{Pickle, PlainValue};
