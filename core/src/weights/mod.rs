//! Parameters under the official (PyTorch, timm) names and layouts, whatever burn calls and how it
//! stores them; files of them, in and out.

mod checkpoint;
mod export;
mod flat;
mod header;
mod infer;
mod load;
mod names;
mod path;
pub mod pth;
mod safetensors;

use std::collections::{HashMap, HashSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{ExecutionError, Tensor, TensorData, Transaction};

pub use checkpoint::{Checkpoint, FileError};
pub use export::{timm, timm_pair};
pub(crate) use flat::{flat_parameters, map_flat};
pub use header::ModelHeader;
pub use infer::InferError;
pub use load::{LoadError, LoadReport};
use path::Layout;
pub(crate) use path::Path;
pub(crate) use safetensors::read_casting;
pub use safetensors::{Precision, from_safetensors, to_safetensors};

/// One tensor as PyTorch would hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Tensors by official name, for example `backbone.blocks.0.attn.qkv.weight`.
pub type Weights = HashMap<String, Weight>;

/// Why weights could not be read from or written to a network.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The network has a parameter that the weights lack.
    #[error("the weights have no tensor `{0}`")]
    Missing(String),
    /// A tensor does not fit its parameter.
    #[error("tensor `{name}` has shape {actual:?}, the network needs {expected:?}")]
    Shape {
        /// Official name.
        name: String,
        /// Shape of the network's parameter, in PyTorch's layout.
        expected: Vec<usize>,
        /// Shape of the given tensor.
        actual: Vec<usize>,
    },
    /// The device failed while values were read from it.
    #[error("cannot read weights from the device: {0}")]
    Device(String),
}

impl From<ExecutionError> for WeightsError {
    fn from(error: ExecutionError) -> Self {
        Self::Device(error.to_string())
    }
}

/// Reads every parameter of `module`.
///
/// # Errors
/// If the device fails.
pub async fn read<M: Module>(module: &M) -> Result<Weights, WeightsError> {
    read_where(module, |_| true).await
}

/// Reads the parameters of `module` whose official name is `wanted`.
///
/// # Errors
/// If the device fails.
pub(crate) async fn read_where<M: Module>(
    module: &M,
    wanted: impl Fn(&str) -> bool,
) -> Result<Weights, WeightsError> {
    let mut reader = Reader {
        path: Path::default(),
        wanted,
        entries: Vec::new(),
        pending: None,
    };
    module.visit(&mut reader);
    let data = reader.pending.unwrap_or_default().execute_async().await?;
    let weights = reader
        .entries
        .into_iter()
        .zip(data)
        .map(|((name, layout, shape), data)| {
            let values = data
                .try_into_vec::<f32>()
                .map_err(|error| WeightsError::Device(format!("{error:?}")))?;
            Ok((name, layout.to_official(&shape, values)))
        });
    weights.collect()
}

/// Replaces every parameter of `module` by the tensor of its name; tensors without a parameter are
/// ignored.
///
/// # Errors
/// If a parameter's tensor is missing or has another shape.
pub fn write<M: Module>(module: M, weights: &Weights) -> Result<M, WeightsError> {
    let (module, written) = write_present(module, weights)?;
    match written.missing.into_iter().next() {
        Some(name) => Err(WeightsError::Missing(name)),
        None => Ok(module),
    }
}

/// What [`write_present`] found.
pub(crate) struct Written {
    /// Parameters that took a tensor.
    pub matched: HashSet<String>,
    /// Parameters without one, in the module's order; they keep their values.
    pub missing: Vec<String>,
}

/// Replaces the parameters of `module` whose tensors are there.
///
/// # Errors
/// If a parameter's tensor has another shape.
pub(crate) fn write_present<M: Module>(
    module: M,
    weights: &Weights,
) -> Result<(M, Written), WeightsError> {
    let written = Written {
        matched: HashSet::new(),
        missing: Vec::new(),
    };
    let mut writer = Writer {
        path: Path::default(),
        weights,
        written,
        error: None,
    };
    let module = module.map(&mut writer);
    match writer.error {
        Some(error) => Err(error),
        None => Ok((module, writer.written)),
    }
}

/// The tensor of this name, which must have the `expected` shape.
pub(crate) fn find<'a>(
    weights: &'a Weights,
    name: &str,
    expected: Vec<usize>,
) -> Result<&'a Weight, WeightsError> {
    let weight = weights
        .get(name)
        .ok_or_else(|| WeightsError::Missing(name.to_owned()))?;
    if weight.shape != expected || weight.values.len() != expected.iter().product::<usize>() {
        return Err(WeightsError::Shape {
            name: name.to_owned(),
            expected,
            actual: weight.shape.clone(),
        });
    }
    Ok(weight)
}

struct Reader<F> {
    path: Path,
    wanted: F,
    entries: Vec<(String, Layout, Vec<usize>)>,
    pending: Option<Transaction>,
}

impl<F: Fn(&str) -> bool> ModuleVisitor for Reader<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.name();
        if !(self.wanted)(&name) {
            return;
        }
        let tensor = param.val().without_autodiff();
        self.entries
            .push((name, self.path.layout(), tensor.dims().to_vec()));
        self.pending = Some(self.pending.take().unwrap_or_default().register(tensor));
    }
}

struct Writer<'a> {
    path: Path,
    weights: &'a Weights,
    written: Written,
    error: Option<WeightsError>,
}

impl Writer<'_> {
    fn tensor<const D: usize>(&self, old: &Tensor<D>) -> Result<TensorData, WeightsError> {
        let (name, layout, shape) = (self.path.name(), self.path.layout(), old.dims());
        let weight = find(self.weights, &name, layout.official_shape(&shape))?;
        Ok(TensorData::new(
            layout.values_from_official(&shape, weight),
            shape,
        ))
    }
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, old, mapper) = param.consume();
        let new = match self.tensor(&old) {
            Ok(data) => {
                self.written.matched.insert(self.path.name());
                Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad())
            }
            Err(WeightsError::Missing(name)) => {
                self.written.missing.push(name);
                old
            }
            Err(error) => {
                self.error.get_or_insert(error);
                old
            }
        };
        Param::from_mapped_value(id, new, mapper)
    }
}
