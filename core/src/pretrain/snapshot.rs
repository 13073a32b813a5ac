//! A training state as named tensors, to be kept and continued from.

use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::optim::Moments;
use crate::optim::{AdamW, LossScale};
use crate::pretrain::state::TrainState;
use crate::pretrain::targets::Centers;
use crate::weights;
use crate::weights::{Weight, Weights, WeightsError, flat_parameters, map_named};

/// Name of the tensor `[2]` with the loss scale: the factor and the steps since it last changed.
pub(crate) const LOSS_SCALE: &str = "loss_scale";

/// Everything that a step reads and changes, on the host.
///
/// Tensors are named `student/...`, `teacher/...`, `exp_avg/...`, `exp_avg_sq/...` (AdamW's
/// moments), `center` and `center2`, with official parameter names and layouts after the slash;
/// `anchor/...` is a backbone, where patches are anchored to one. In f16 there is a `loss_scale` too,
/// `[2]`: the factor and the steps since it last changed.
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
        add(&mut tensors, "student", weights::read(&self.student).await?);
        add(&mut tensors, "teacher", weights::read(&self.teacher).await?);

        if let Some(anchor) = &self.anchor {
            add(&mut tensors, "anchor", weights::read(anchor).await?);
        }

        let updates = self.optimizer.keep(&self.student, &mut tensors).await?;

        let Centers { cls, patch } = &self.centers;
        for (name, center) in [("center", cls), ("center2", patch)] {
            let data = center.to_data_async().await?;
            let weight = Weight {
                shape: center.dims().to_vec(),
                values: data.iter::<f32>().collect(),
            };
            tensors.insert(name.to_owned(), weight);
        }

        if let Some(scale) = self.loss_scale {
            tensors.insert(LOSS_SCALE.to_owned(), loss_scale_weight(scale));
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
        let student = weights::write(self.student, &take(&mut tensors, "student"))?;
        let teacher = weights::write(self.teacher, &take(&mut tensors, "teacher"))?;

        let anchor = take(&mut tensors, "anchor");
        let anchor = if anchor.is_empty() {
            None
        } else {
            Some(weights::write(teacher.backbone.clone(), &anchor)?)
        };

        let optimizer = AdamW::kept(&student, &mut tensors, &updates)?;

        let centers = Centers {
            cls: center(&tensors, "center", self.centers.cls)?,
            patch: center(&tensors, "center2", self.centers.patch)?,
        };

        Ok(Self {
            student,
            teacher,
            anchor,
            optimizer,
            centers,
            loss_scale: loss_scale_of(self.loss_scale, &tensors),
            updating: false,
        })
    }
}

/// The tensor that holds a loss scale.
pub(crate) fn loss_scale_weight(scale: LossScale) -> Weight {
    Weight {
        shape: vec![2],
        values: scale.to_values().to_vec(),
    }
}

/// The loss scale kept in `tensors`, in place of that of a new state.
pub(crate) fn loss_scale_of(new: Option<LossScale>, tensors: &Weights) -> Option<LossScale> {
    let kept = tensors.get(LOSS_SCALE).map(|kept| &kept.values[..]);
    match (new, kept) {
        (Some(_), Some(&[factor, steps])) => Some(LossScale::from_values([factor, steps])),
        // A state kept in f32 has no scale: it begins anew.
        (scale, _) => scale,
    }
}

pub(crate) fn add(tensors: &mut Weights, prefix: &str, weights: Weights) {
    for (name, weight) in weights {
        tensors.insert(format!("{prefix}/{name}"), weight);
    }
}

/// Removes the weights below `prefix/` and gives them by the rest of their names.
pub(crate) fn take(tensors: &mut Weights, prefix: &str) -> Weights {
    let prefix = format!("{prefix}/");
    tensors
        .extract_if(|name, _| name.starts_with(&prefix))
        .map(|(name, weight)| (name[prefix.len()..].to_owned(), weight))
        .collect()
}

impl AdamW {
    /// Adds the moments of `module`'s parameters to `tensors`, as `exp_avg/...` and
    /// `exp_avg_sq/...`, and gives how often each was updated.
    pub(crate) async fn keep<M: Module>(
        &self,
        module: &M,
        tensors: &mut Weights,
    ) -> Result<Updates, WeightsError> {
        let (first, second, updates) = self.read(module).await?;
        add(tensors, "exp_avg", first);
        add(tensors, "exp_avg_sq", second);
        Ok(updates)
    }

    /// The optimiser of `module` from what [`keep`](Self::keep) added, which is taken out.
    pub(crate) fn kept<M: Module>(
        module: &M,
        tensors: &mut Weights,
        updates: &Updates,
    ) -> Result<Self, WeightsError> {
        let first = take(tensors, "exp_avg");
        let second = take(tensors, "exp_avg_sq");
        Self::write(module, &first, &second, updates)
    }

    /// First and second moments of `module`'s parameters, and how often each was updated; nothing
    /// of a parameter that never was.
    pub(crate) async fn read<M: Module>(
        &self,
        module: &M,
    ) -> Result<(Weights, Weights, Updates), WeightsError> {
        // A module whose parameters are the moments knows their names and layouts.
        let first = self.module_of(module, |moments| &moments.first);
        let second = self.module_of(module, |moments| &moments.second);
        let first = weights::read_where(&first, |name| self.moments.contains_key(name)).await?;
        let second = weights::read_where(&second, |name| self.moments.contains_key(name)).await?;

        let mut updates = BTreeMap::new();
        for (name, moments) in &self.moments {
            updates.insert(name.clone(), moments.updates);
        }
        Ok((first, second, Updates(updates)))
    }

    /// `module` with one of the moments in place of each updated parameter.
    fn module_of<M: Module>(&self, module: &M, moment: fn(&Moments) -> &Tensor<1>) -> M {
        map_named(module.clone(), |parameter, value| {
            match self.moments.get(&parameter.name) {
                Some(moments) => moment(moments).clone(),
                None => value,
            }
        })
    }

    /// The optimiser of `module` with these moments.
    pub(crate) fn write<M: Module>(
        module: &M,
        first: &Weights,
        second: &Weights,
        updates: &Updates,
    ) -> Result<Self, WeightsError> {
        let first = flat_moments(module, first, updates)?;
        let mut second = flat_moments(module, second, updates)?;

        let mut moments = HashMap::new();
        for (name, first) in first {
            let count = updates.0.get(&name).copied();
            if let (Some(updates), Some(second)) = (count, second.remove(&name)) {
                let both = Moments {
                    first,
                    second,
                    updates,
                };
                moments.insert(name, both);
            }
        }
        Ok(Self { moments })
    }
}

fn flat_moments<M: Module>(
    module: &M,
    moments: &Weights,
    updates: &Updates,
) -> Result<HashMap<String, Tensor<1>>, WeightsError> {
    // A parameter that was frozen since the first step has no moments.
    let (module, written) = weights::write_present(module.clone(), moments)?;
    let mut missing = written.missing.into_iter();
    match missing.find(|name| updates.0.contains_key(name)) {
        Some(name) => Err(WeightsError::Missing(name)),
        None => Ok(flat_parameters(&module)),
    }
}

fn center(tensors: &Weights, name: &str, old: Tensor<2>) -> Result<Tensor<2>, WeightsError> {
    let shape = old.dims();
    let weight = weights::find(tensors, name, shape.to_vec())?;
    let data = TensorData::new(weight.values.clone(), shape);
    Ok(Tensor::from_data(data, &old.device()))
}
