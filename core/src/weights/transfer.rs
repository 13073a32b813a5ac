//! From the parameters of a module to named tensors on the host, and back.

use std::collections::{HashMap, HashSet};

use burn::module::Module;
use burn::tensor::{ExecutionError, Tensor, TensorData, Transaction};

use super::named::{Parameter, map_named, visit_named};
use super::weight::{Weight, Weights};

/// Why weights could not be read from or written to a network.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum WeightsError {
    #[error("the weights have no tensor `{0}`")]
    Missing(String),
    #[error("tensor `{name}` has shape {actual:?}, the network needs {expected:?}")]
    Shape {
        name: String,
        expected: Vec<usize>,
        actual: Vec<usize>,
    },
    #[error(
        "the state was lost in the middle of an update: continue from what was saved before it"
    )]
    HalfUpdated,
    #[error("cannot read weights from the device: {0}")]
    Device(String),
}

impl From<ExecutionError> for WeightsError {
    fn from(error: ExecutionError) -> Self {
        Self::Device(error.to_string())
    }
}

/// Reads every parameter of `module`.
pub async fn read<M: Module>(module: &M) -> Result<Weights, WeightsError> {
    read_where(module, |_| true).await
}

pub(crate) async fn read_where<M: Module>(
    module: &M,
    wanted: impl Fn(&str) -> bool,
) -> Result<Weights, WeightsError> {
    // One transfer for all, because each waits for the device.
    let mut parameters = Vec::new();
    let mut pending = Transaction::default();
    visit_named(module, |parameter, value| {
        if wanted(&parameter.name) {
            pending = std::mem::take(&mut pending).register(value.flat());
            parameters.push(parameter);
        }
    });

    let mut weights = Weights::new();
    for (parameter, data) in parameters.into_iter().zip(pending.execute_async().await?) {
        let values = data
            .try_into_vec::<f32>()
            .map_err(|error| WeightsError::Device(format!("{error:?}")))?;
        let Parameter {
            name,
            shape,
            layout,
            ..
        } = parameter;
        let weight = Weight {
            shape: layout.official_shape(&shape),
            values: layout.to_official(&shape, values),
        };
        weights.insert(name, weight);
    }
    Ok(weights)
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

#[derive(Default)]
pub(crate) struct Written {
    pub matched: HashSet<String>,
    /// Parameters without one, in the module's order; they keep their values.
    pub missing: Vec<String>,
}

/// Replaces the parameters of `module` whose tensors are there.
pub(crate) fn write_present<M: Module>(
    module: M,
    weights: &Weights,
) -> Result<(M, Written), WeightsError> {
    let mut written = Written::default();
    let mut failure = None;
    let module = map_named(module, |parameter, old| {
        let Parameter {
            name,
            shape,
            layout,
            ..
        } = parameter;
        match find(weights, &name, layout.official_shape(&shape)) {
            Ok(weight) => {
                written.matched.insert(name);
                let values = layout.to_burn(&shape, &weight.values);
                let count = values.len();
                Tensor::from_data(TensorData::new(values, [count]), &old.device())
            }
            Err(WeightsError::Missing(name)) => {
                written.missing.push(name);
                old
            }
            // A traversal cannot stop, so the first error is returned after it.
            Err(error) => {
                failure.get_or_insert(error);
                old
            }
        }
    });

    match failure {
        Some(error) => Err(error),
        None => Ok((module, written)),
    }
}

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

/// All parameters of `module`, flattened and outside autodiff, by official name.
pub(crate) fn flat_parameters<M: Module>(module: &M) -> HashMap<String, Tensor<1>> {
    let mut tensors = HashMap::new();
    visit_named(module, |parameter, value| {
        tensors.insert(parameter.name, value.flat());
    });
    tensors
}
