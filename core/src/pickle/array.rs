//! Arrays and numbers of numpy, as a pickle describes them.

use super::graph::Graph;
use super::node::{Id, NIL, Node};

/// More axes than numpy allows.
const MAX_AXES: usize = 64;

/// What an array of numpy holds.
pub(super) enum Array<'a> {
    /// Numbers, to be decoded.
    Numbers(NumberArray<'a>),
    /// Values of any kind, the items of a list.
    Objects(Id),
}

/// The bytes of an array, and how to read them.
pub(super) struct NumberArray<'a> {
    bytes: ArrayBytes<'a>,
    number: NumberKind,
    big_endian: bool,
    len: usize,
}

/// Bytes, as a pickle stores them.
enum ArrayBytes<'a> {
    Raw(&'a [u8]),
    /// Protocol 2 of Python 3 has no bytes and writes each as a character up to U+00FF.
    Latin1(&'a str),
}

#[derive(Clone, Copy, PartialEq)]
enum NumberKind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    F32,
    F64,
}

impl<'a> Array<'a> {
    /// The array, or the single number of numpy, that a value is. `None` if it is something else,
    /// its numbers are of another type, or its bytes are not as many as its shape says.
    pub fn read(graph: &Graph<'a>, id: Id) -> Option<Self> {
        let (callable, arguments) = graph.call(id)?;
        let (module, name) = graph.global(callable)?;
        match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                // What makes the array is empty; its state has the content.
                let [_, shape, dtype, by_columns, data] = graph.items(graph.state(id)?)?;
                let order = Order::of_flag(graph, by_columns)?;
                Self::new(graph, shape, dtype, order, data)
            }
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => {
                let [data, dtype, shape, order] = graph.items(arguments)?;
                let order = Order::of_name(graph, order)?;
                Self::new(graph, shape, dtype, order, data)
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => {
                let [dtype, data] = graph.items(arguments)?;
                Self::new(graph, Graph::EMPTY_TUPLE, dtype, Order::Rows, data)
            }
            _ => None,
        }
    }

    fn new(graph: &Graph<'a>, shape: Id, dtype: Id, order: Order, data: Id) -> Option<Self> {
        let mut axes = 0;
        let mut len = 1usize;
        for (_, extent) in graph.entries(shape) {
            axes += 1;
            len = len.checked_mul(graph.count(extent)?)?;
            if axes > MAX_AXES {
                return None;
            }
        }
        // Numbers are read in the order of memory.
        if axes > 1 && order == Order::Columns {
            return None;
        }

        let (code, big_endian) = dtype_of(graph, dtype)?;
        if let Node::List(_) = graph.node(data) {
            return code.starts_with('O').then_some(Self::Objects(data));
        }
        let number = NumberKind::of(code)?;
        let bytes = ArrayBytes::of(graph, data)?;
        let expected = len.checked_mul(number.size())?;
        (bytes.len() == expected).then_some(Self::Numbers(NumberArray {
            bytes,
            number,
            big_endian,
            len,
        }))
    }
}

/// Which axis of an array changes slowest in memory.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// The first.
    Rows,
    /// The last.
    Columns,
}

impl Order {
    fn of_flag(graph: &Graph, by_columns: Id) -> Option<Self> {
        match graph.node(by_columns) {
            Node::Bool(true) | Node::Int(1) => Some(Self::Columns),
            Node::Bool(false) | Node::Int(0) => Some(Self::Rows),
            _ => None,
        }
    }

    fn of_name(graph: &Graph, name: Id) -> Option<Self> {
        match graph.name(name)? {
            "C" => Some(Self::Rows),
            "F" => Some(Self::Columns),
            _ => None,
        }
    }
}

/// The code of a type, such as `i8`, and whether its bytes are in big-endian order.
fn dtype_of<'a>(graph: &Graph<'a>, id: Id) -> Option<(&'a str, bool)> {
    let (callable, arguments) = graph.call(id)?;
    if graph.global(callable)? != ("numpy", "dtype") {
        return None;
    }
    let [code] = graph.items(arguments)?;
    let order = match graph.state(id) {
        Some(state) => {
            let [_, order] = graph.items(state)?;
            graph.name(order)?
        }
        None => "=",
    };
    Some((graph.name(code)?, order == ">"))
}

impl NumberKind {
    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "b1" => Self::Bool,
            "i1" => Self::Signed(1),
            "i2" => Self::Signed(2),
            "i4" => Self::Signed(4),
            "i8" => Self::Signed(8),
            "u1" => Self::Unsigned(1),
            "u2" => Self::Unsigned(2),
            "u4" => Self::Unsigned(4),
            "u8" => Self::Unsigned(8),
            "f4" => Self::F32,
            "f8" => Self::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Signed(size) | Self::Unsigned(size) => size,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number in the first bytes of `bytes`, which are little-endian. Integers beyond 2^53 are
    /// rounded.
    fn decode(self, bytes: [u8; 8]) -> f64 {
        let [a, b, c, d, ..] = bytes;
        let unsigned = u64::from_le_bytes(bytes);
        match self {
            Self::Bool | Self::Unsigned(_) => unsigned as f64,
            Self::Signed(size) => {
                // To the top and back, which repeats the sign.
                let unused = 8 * (8 - size as u32);
                ((unsigned as i64) << unused >> unused) as f64
            }
            Self::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Self::F64 => f64::from_le_bytes(bytes),
        }
    }
}

impl<'a> ArrayBytes<'a> {
    fn of(graph: &Graph<'a>, id: Id) -> Option<Self> {
        match graph.node(id) {
            Node::Bytes(span) => return Some(Self::Raw(graph.bytes(span))),
            // Python 2 wrote its bytes as text.
            Node::Text(span) => return Some(Self::Raw(graph.bytes(span))),
            _ => {}
        }
        let (callable, arguments) = graph.call(id)?;
        let [text, encoding] = graph.items(arguments)?;
        match graph.global(callable)? {
            ("_codecs", "encode") if graph.name(encoding) == Some("latin1") => {
                let text = graph.text(text)?;
                let fits = text
                    .chars()
                    .all(|character| u8::try_from(character).is_ok());
                fits.then_some(Self::Latin1(text))
            }
            ("builtins" | "__builtin__", "bytes") if text == NIL => Some(Self::Raw(&[])),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Raw(bytes) => bytes.len(),
            Self::Latin1(text) => text.chars().count(),
        }
    }

    fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.to_vec(),
            Self::Latin1(text) => text
                .chars()
                .filter_map(|character| u8::try_from(character).ok())
                .collect(),
        }
    }
}

impl NumberArray<'_> {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The numbers, if they are stored as unsigned bytes.
    pub fn unsigned_bytes(&self) -> Option<Vec<u8>> {
        (self.number == NumberKind::Unsigned(1)).then(|| self.bytes.to_vec())
    }

    /// The numbers.
    pub fn values(&self) -> Vec<f64> {
        let bytes = self.bytes.to_vec();
        let mut values = Vec::with_capacity(self.len);
        for number in bytes.chunks_exact(self.number.size()) {
            let mut low = [0; 8];
            low[..number.len()].copy_from_slice(number);
            if self.big_endian {
                low[..number.len()].reverse();
            }
            values.push(self.number.decode(low));
        }
        values
    }
}
