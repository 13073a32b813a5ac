//! Tensors as a pickle describes them: calls that torch would make.

use super::PthError;
use super::dtype::Dtype;
use super::tensor::{TensorRef, View, error};
use crate::pickle::{Graph, Id, NIL, Node};

// Shapes are copied for every tensor, while a pickle may share a long one.
const MAX_RANK: usize = 8;
// A bound, so that a chain of wrappers costs little time.
const MAX_WRAPPERS: usize = 4;
pub(super) struct Storage<'a> {
    pub key: &'a str,
    dtype: Option<Dtype>,
    /// Bytes in an element, if the type is known.
    pub element_size: Option<usize>,
    len: usize,
}

impl<'a> Storage<'a> {
    /// Reads the persistent id of a storage: `("storage", type, key, location, len)`, before torch
    /// 1.6 with a sixth item, which is `None` but in files older than torch 0.4.
    pub fn read(graph: &Graph<'a>, id: Id) -> Option<Self> {
        let [kind, class, key, _, len, view] = graph.items(id)?;
        if graph.name(kind) != Some("storage") || (view != NIL && view != Graph::NONE) {
            return None;
        }
        let known = Dtype::of_storage(graph.global(class)?);
        let (dtype, element_size) = known.unzip();
        Some(Self {
            key: graph.name(key)?,
            dtype,
            element_size,
            len: graph.count(len)?,
        })
    }
}

enum Rebuild {
    /// `(storage, offset, size, stride, requires_grad, hooks, flags)`, of which the last three may
    /// be missing.
    Typed,
    /// The same with the type before the flags.
    Untyped,
    /// A tensor as first argument.
    Wrapper,
    /// A function of this table as first argument, its arguments as third.
    Subclass,
}

impl Rebuild {
    fn of(graph: &Graph, callable: Id) -> Option<Self> {
        Some(match graph.global(callable)? {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::Typed,
            ("torch._utils", "_rebuild_tensor_v3") => Self::Untyped,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")
            | ("torch.nn.parameter", "Parameter" | "Buffer") => Self::Wrapper,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::Subclass,
            _ => return None,
        })
    }
}

/// The arguments that describe a tensor, inside its wrappers, and which they are. `None` if the
/// value is no tensor.
fn description(graph: &Graph, value: Id) -> Option<(Rebuild, Id)> {
    let (mut callable, mut arguments) = graph.call(value)?;
    for _ in 0..=MAX_WRAPPERS {
        match Rebuild::of(graph, callable)? {
            Rebuild::Wrapper => {
                let [inner] = graph.items(arguments)?;
                (callable, arguments) = graph.call(inner)?;
            }
            Rebuild::Subclass => [callable, _, arguments] = graph.items(arguments)?,
            rebuild => return Some((rebuild, arguments)),
        }
    }
    None
}

/// Whether a value is a dense tensor, whatever its type.
pub(super) fn is_tensor(graph: &Graph, value: Id) -> bool {
    description(graph, value).is_some()
}

pub(super) fn tensor<'a>(
    graph: &Graph<'a>,
    name: &'a str,
    value: Id,
) -> Option<Result<TensorRef<'a>, PthError>> {
    let (rebuild, arguments) = description(graph, value)?;
    let view = view(graph, rebuild, arguments);
    Some(
        view.map(|view| TensorRef { name, view })
            .map_err(|problem| error(name, problem.to_owned())),
    )
}

fn view<'a>(graph: &Graph<'a>, rebuild: Rebuild, arguments: Id) -> Result<View<'a>, &'static str> {
    let arguments = graph.items(arguments).ok_or("its arguments are no tuple")?;
    let [storage, offset, shape, strides, _, _, seventh, eighth] = arguments;
    let storage = match graph.node(storage) {
        Node::Persistent(id) => {
            Storage::read(graph, id).ok_or("its storage is described in an unknown way")?
        }
        _ => return Err("it has no storage"),
    };

    let offset = graph.count(offset).ok_or("its offset is not a count")?;
    let shape = counts(graph, shape).ok_or("its shape is not a tuple of at most 8 counts")?;
    let mut strides =
        counts(graph, strides).ok_or("its strides are not a tuple of at most 8 counts")?;
    if strides.len() != shape.len() {
        return Err("it has not as many strides as dimensions");
    }

    let (dtype, flags) = match rebuild {
        Rebuild::Untyped => (graph.global(seventh).and_then(Dtype::of_name), eighth),
        _ => (storage.dtype, seventh),
    };
    if graph.entries(flags).next().is_some() {
        return Err("it is conjugated or negated; save `tensor.resolve_conj().resolve_neg()`");
    }

    let size = storage.element_size.unwrap_or(0);
    let storage_bytes = storage
        .len
        .checked_mul(size)
        .ok_or("its storage is larger than any memory")?;
    // The stride of a dimension with one index says nothing; equal views shall be equal.
    for (stride, dim) in strides.iter_mut().zip(&shape) {
        if *dim == 1 {
            *stride = 0;
        }
    }

    let dtype = dtype.unwrap_or(Dtype::Other("unknown"));
    Ok(View {
        shape,
        dtype,
        storage: storage.key,
        storage_bytes,
        offset,
        strides,
    })
}

/// A shape or strides: a tuple of counts, or a `torch.Size` of one.
fn counts(graph: &Graph, id: Id) -> Option<Vec<usize>> {
    let id = match graph.call(id) {
        Some((callable, arguments)) if graph.global(callable) == Some(("torch", "Size")) => {
            let [tuple] = graph.items(arguments)?;
            tuple
        }
        _ => id,
    };
    let (Node::Tuple(_) | Node::List(_)) = graph.node(id) else {
        return None;
    };

    // One more than allowed tells whether there are too many.
    let counts: Option<Vec<usize>> = graph
        .entries(id)
        .take(MAX_RANK + 1)
        .map(|(_, count)| graph.count(count))
        .collect();
    counts.filter(|counts| counts.len() <= MAX_RANK)
}
