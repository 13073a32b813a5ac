//! The values of a pickle, each without those that it contains.

pub(crate) type Id = u32;

/// No node, or no entry.
pub(crate) const NIL: Id = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// An integer beyond 64 bits, little endian.
    Long(Span),
    Text(Span),
    Bytes(Span),
    Tuple(Chain),
    List(Chain),
    Set(Chain),
    Dict(Chain),
    /// A class or function: two texts.
    Global {
        module: Id,
        name: Id,
    },
    /// Something outside the pickle; in torch's files the storage that the node describes.
    Persistent(Id),
    /// The result of a call, by index into the objects.
    Object(u32),
}

/// Bytes of the pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub at: u32,
    pub len: u32,
}

/// Entries of a container.
// A linked list, because containers grow while others do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chain {
    pub(super) first: u32,
    pub(super) last: u32,
}

impl Chain {
    pub const EMPTY: Self = Self {
        first: NIL,
        last: NIL,
    };
}
