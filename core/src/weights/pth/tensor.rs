//! Tensors as a pickle describes them, checked against the storages.

use super::PthError;
use super::dtype::Dtype;
use crate::pickle::{Graph, Id, NIL, Node};

// Shapes are copied for every tensor, while a pickle may share a long one.
const MAX_RANK: usize = 8;
/// The most wrappers around a tensor that are looked into.
const MAX_WRAPPERS: usize = 4;

/// A tensor of a file: where its values lie, not the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRef<'a> {
    /// Its key in the dictionary.
    pub name: &'a str,
    /// What it shows. Two tensors with the same view are tied.
    pub view: View<'a>,
}

/// A part of a storage as a tensor. Equal views have equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct View<'a> {
    shape: Vec<usize>,
    dtype: Dtype,
    storage: &'a str,
    /// Bytes that the pickle says the storage has.
    storage_bytes: usize,
    /// In elements.
    offset: usize,
    /// In elements, one for each dimension; 0 where a dimension has but one index.
    strides: Vec<usize>,
}

impl View<'_> {
    /// Dimensions, outermost first; none for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Type of the stored numbers.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Number of elements, `None` if it cannot be counted.
    fn len(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape
            .iter()
            .try_fold(1, |product: usize, dim| product.checked_mul(*dim))
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(dim, stride)| {
                let fits = *dim == 1 || *stride == expected;
                expected *= dim;
                fits
            })
    }
}

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

/// The call that makes a tensor.
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

/// The tensor that a value is. `None` if it is something else.
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

impl TensorRef<'_> {
    pub(super) fn storage(&self) -> &str {
        self.view.storage
    }

    /// Checks that every element lies in `storage`, the file's bytes of that storage, and gives
    /// their number.
    pub(super) fn check(&self, storage: Option<&[u8]>) -> Result<usize, PthError> {
        let view = &self.view;
        let fail = |problem: String| Err(error(self.name, problem));
        if let Dtype::Other(name) = view.dtype {
            return fail(format!(
                "it is of type {name}, expected float32, float16, bfloat16 or float64"
            ));
        }
        let Some(storage) = storage else {
            return fail(format!("the file lacks its storage `{}`", view.storage));
        };

        if storage.len() != view.storage_bytes {
            return fail(format!(
                "storage `{}` should have {} bytes and has {}",
                view.storage,
                view.storage_bytes,
                storage.len()
            ));
        }

        let elements = storage.len() / view.dtype.size();
        // The position of the last element, if any.
        let end = view
            .shape
            .iter()
            .zip(&view.strides)
            .try_fold(view.offset, |end, (dim, stride)| {
                end.checked_add(dim.saturating_sub(1).checked_mul(*stride)?)
            });
        match (view.len(), end) {
            (Some(0), _) => Ok(0),
            (Some(len), Some(end)) if end < elements && len <= elements => Ok(len),
            (_, Some(end)) if end < elements => {
                let shape = &view.shape;
                fail(format!(
                    "shape {shape:?} repeats a storage of {elements} elements; save a contiguous copy"
                ))
            }
            _ => {
                let View {
                    shape,
                    strides,
                    offset,
                    ..
                } = view;
                fail(format!(
                    "shape {shape:?} with strides {strides:?} from element {offset} reaches beyond \
                     its storage of {elements}"
                ))
            }
        }
    }

    pub(super) fn read(&self, storage: &[u8], len: usize) -> Vec<f32> {
        match self.view.dtype {
            Dtype::F64 => self.gather(storage, len, |bytes| f64::from_le_bytes(bytes) as f32),
            Dtype::F32 => self.gather(storage, len, f32::from_le_bytes),
            Dtype::F16 => self.gather(storage, len, |bytes| {
                half::f16::from_le_bytes(bytes).to_f32()
            }),
            Dtype::Bf16 => self.gather(storage, len, |bytes| {
                half::bf16::from_le_bytes(bytes).to_f32()
            }),
            Dtype::Other(_) => Vec::new(),
        }
    }

    fn gather<const N: usize>(
        &self,
        storage: &[u8],
        len: usize,
        value: impl Fn([u8; N]) -> f32,
    ) -> Vec<f32> {
        let view = &self.view;
        let (elements, _) = storage.as_chunks::<N>();
        if len == 0 {
            return Vec::new();
        }
        if view.is_contiguous() {
            return elements[view.offset..][..len]
                .iter()
                .map(|bytes| value(*bytes))
                .collect();
        }

        let mut values = Vec::with_capacity(len);
        let mut index = vec![0; view.shape.len()];
        let mut at = view.offset;
        while values.len() < len {
            values.push(value(elements[at]));
            // The next index in row-major order: the last dimension that has one left moves, those
            // behind start again.
            for ((i, dim), stride) in index.iter_mut().zip(&view.shape).zip(&view.strides).rev() {
                if *i + 1 < *dim {
                    *i += 1;
                    at += stride;
                    break;
                }
                at -= *i * stride;
                *i = 0;
            }
        }
        values
    }
}

fn error(name: &str, problem: String) -> PthError {
    PthError::Tensor {
        name: name.to_owned(),
        problem,
    }
}
