//! A tensor of a file, checked against its storage and read from it.

use super::PthError;
use super::dtype::Dtype;

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
    pub(super) shape: Vec<usize>,
    pub(super) dtype: Dtype,
    pub(super) storage: &'a str,
    /// Bytes that the pickle says the storage has.
    pub(super) storage_bytes: usize,
    /// In elements.
    pub(super) offset: usize,
    /// In elements, one for each dimension; 0 where a dimension has but one index.
    pub(super) strides: Vec<usize>,
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
        // Before the product: other extents may overflow it.
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
                // The stride of a dimension with one index says nothing.
                let fits = *dim == 1 || *stride == expected;
                expected *= dim;
                fits
            })
    }
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
pub(super) fn error(name: &str, problem: String) -> PthError {
    PthError::Tensor {
        name: name.to_owned(),
        problem,
    }
}
