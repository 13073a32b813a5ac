//! A training state as named tensors, to be kept and continued from.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::optim::Moments;
use crate::optim::{AdamW, LossScale};
use crate::pretrain::state::TrainState;
use crate::pretrain::targets::Centers;
use crate::weights;
use crate::weights::{Weight, Weights, WeightsError, flat_parameters, map_named};

const LOSS_SCALE: &str = "loss_scale";

/// Everything that a step reads and changes, on the host.
///
/// Tensors are named `student/...`, `teacher/...`, `exp_avg/...`, `exp_avg_sq/...` (AdamW's
/// moments), `center` and `center2`, with official parameter names and layouts after the slash; in
/// f16 there is a `loss_scale` too, `[2]`: the factor and the steps since it last changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// All tensors.
    pub tensors: Weights,
    /// Updates of each parameter by the optimiser.
    pub updates: Updates,
}

/// Updates that parameters have seen, by official name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updates(pub BTreeMap<String, u64>);

impl TrainState {
    /// Reads the whole state from the device.
    ///
    /// # Errors
    /// If the device fails, or failed in the middle of an update.
    pub async fn snapshot(&self) -> Result<Snapshot, WeightsError> {
        if self.updating {
            return Err(WeightsError::HalfUpdated);
        }
        let mut tensors = Weights::new();
        let mut add = |prefix: &str, weights: Weights| {
            tensors.extend(
                weights
                    .into_iter()
                    .map(|(name, weight)| (format!("{prefix}/{name}"), weight)),
            );
        };
        add("student", weights::read(&self.student).await?);
        add("teacher", weights::read(&self.teacher).await?);
        let (first, second, updates) = self.optimizer.read(&self.student).await?;
        add("exp_avg", first);
        add("exp_avg_sq", second);
        for (name, center) in [
            ("center", &self.centers.cls),
            ("center2", &self.centers.patch),
        ] {
            let data = center.to_data_async().await?;
            let values = data.iter::<f32>().collect();
            tensors.insert(
                name.to_owned(),
                Weight {
                    shape: center.dims().to_vec(),
                    values,
                },
            );
        }
        if let Some(scale) = self.loss_scale {
            tensors.insert(
                LOSS_SCALE.to_owned(),
                Weight {
                    shape: vec![2],
                    values: scale.to_values().to_vec(),
                },
            );
        }
        Ok(Snapshot { tensors, updates })
    }

    /// This state with everything replaced by `snapshot`; the networks must be of the same
    /// dimensions.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(self, snapshot: Snapshot) -> Result<Self, WeightsError> {
        let Snapshot {
            mut tensors,
            updates,
        } = snapshot;
        let mut part = |prefix: &str| -> Weights {
            let prefix = format!("{prefix}/");
            tensors
                .extract_if(|name, _| name.starts_with(&prefix))
                .map(|(name, w)| (name[prefix.len()..].to_owned(), w))
                .collect()
        };
        let student = weights::write(self.student, &part("student"))?;
        let teacher = weights::write(self.teacher, &part("teacher"))?;
        let optimizer = AdamW::write(&student, &part("exp_avg"), &part("exp_avg_sq"), &updates)?;
        let centers = Centers {
            cls: center(&tensors, "center", self.centers.cls)?,
            patch: center(&tensors, "center2", self.centers.patch)?,
        };
        // A state kept in f32 has no scale: it begins anew.
        let loss_scale = self.loss_scale.map(|scale| {
            match tensors.get(LOSS_SCALE).map(|kept| &kept.values[..]) {
                Some(&[factor, steps]) => LossScale::from_values([factor, steps]),
                _ => scale,
            }
        });
        Ok(Self {
            student,
            teacher,
            optimizer,
            centers,
            loss_scale,
            updating: false,
        })
    }
}

impl AdamW {
    /// First and second moments of `module`'s parameters, and how often each was updated; nothing
    /// of a parameter that never was.
    pub(crate) async fn read<M: Module>(
        &self,
        module: &M,
    ) -> Result<(Weights, Weights, Updates), WeightsError> {
        let moments = |of: fn(&Moments) -> &Tensor<1>| {
            map_named(module.clone(), |parameter, value| {
                self.moments
                    .get(&parameter.name)
                    .map_or(value, |moments| of(moments).clone())
            })
        };
        let updated = |name: &str| self.moments.contains_key(name);
        let first = weights::read_where(&moments(|moments| &moments.first), updated).await?;
        let second = weights::read_where(&moments(|moments| &moments.second), updated).await?;
        let updates = self
            .moments
            .iter()
            .map(|(name, moments)| (name.clone(), moments.updates))
            .collect();
        Ok((first, second, Updates(updates)))
    }

    /// The optimiser of `module` with these moments.
    ///
    /// # Errors
    /// If a moment of an updated parameter is missing or has another shape.
    pub(crate) fn write<M: Module>(
        module: &M,
        first: &Weights,
        second: &Weights,
        updates: &Updates,
    ) -> Result<Self, WeightsError> {
        let flat = |moments: &Weights| {
            let (module, written) = weights::write_present(module.clone(), moments)?;
            match written
                .missing
                .into_iter()
                .find(|name| updates.0.contains_key(name))
            {
                Some(name) => Err(WeightsError::Missing(name)),
                None => Ok(flat_parameters(&module)),
            }
        };
        let (first, mut second) = (flat(first)?, flat(second)?);
        let moments = first.into_iter().filter_map(|(name, first)| {
            let (updates, second) = (*updates.0.get(&name)?, second.remove(&name)?);
            Some((
                name,
                Moments {
                    first,
                    second,
                    updates,
                },
            ))
        });
        Ok(Self {
            moments: moments.collect(),
        })
    }
}

fn center(tensors: &Weights, name: &str, old: Tensor<2>) -> Result<Tensor<2>, WeightsError> {
    let shape = old.dims();
    let weight = weights::find(tensors, name, shape.to_vec())?;
    Ok(Tensor::from_data(
        TensorData::new(weight.values.clone(), shape),
        &old.device(),
    ))
}
