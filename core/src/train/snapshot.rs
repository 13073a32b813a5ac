//! A training state as named tensors, to be kept and continued from.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::optimizer::Moments;
use super::{AdamW, TrainState};
use crate::loss::Centers;
use crate::model::Network;
use crate::weights::{self, Weight, Weights, WeightsError, flat_parameters, map_flat};

/// Everything that a step reads and changes, on the host.
///
/// Tensors are named `student/...`, `teacher/...`, `exp_avg/...`, `exp_avg_sq/...` (AdamW's moments), `center` and
/// `center2`, with official parameter names and layouts after the slash.
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
    /// If the device fails.
    pub async fn snapshot(&self) -> Result<Snapshot, WeightsError> {
        let moments = |second: bool| {
            map_flat(self.student.clone(), |name, value| match self.optimizer.moments.get(name) {
                Some(moments) if second => moments.second.clone(),
                Some(moments) => moments.first.clone(),
                None => value.zeros_like(),
            })
        };
        let parts = [
            ("student", &self.student),
            ("teacher", &self.teacher),
            ("exp_avg", &moments(false)),
            ("exp_avg_sq", &moments(true)),
        ];
        let mut tensors = Weights::new();
        for (prefix, network) in parts {
            let weights = weights::read(network).await?;
            tensors.extend(weights.into_iter().map(|(name, weight)| (format!("{prefix}/{name}"), weight)));
        }
        for (name, center) in [("center", &self.centers.cls), ("center2", &self.centers.patch)] {
            let data = center.to_data_async().await?;
            let values = data.iter::<f32>().collect();
            tensors.insert(name.to_owned(), Weight { shape: center.dims().to_vec(), values });
        }
        let updates = self.optimizer.moments.iter().map(|(name, moments)| (name.clone(), moments.updates)).collect();
        Ok(Snapshot { tensors, updates: Updates(updates) })
    }

    /// This state with everything replaced by `snapshot`; the networks must be of the same dimensions.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn restore(self, snapshot: Snapshot) -> Result<Self, WeightsError> {
        let Snapshot { mut tensors, updates } = snapshot;
        let mut part = |prefix: &str| -> Weights {
            let prefix = format!("{prefix}/");
            tensors
                .extract_if(|name, _| name.starts_with(&prefix))
                .map(|(name, w)| (name[prefix.len()..].to_owned(), w))
                .collect()
        };
        let student = weights::write(self.student, &part("student"))?;
        let teacher = weights::write(self.teacher, &part("teacher"))?;
        let first = flat_parameters(&weights::write(student.clone(), &part("exp_avg"))?);
        let mut second = flat_parameters(&weights::write(student.clone(), &part("exp_avg_sq"))?);
        let moments = first.into_iter().filter_map(|(name, first)| {
            let (updates, second) = (*updates.0.get(&name)?, second.remove(&name)?);
            Some((name, Moments { first, second, updates }))
        });
        let optimizer = AdamW { moments: moments.collect() };
        let centers = Centers {
            cls: center(&tensors, "center", self.centers.cls)?,
            patch: center(&tensors, "center2", self.centers.patch)?,
        };
        Ok(Self { student, teacher, optimizer, centers })
    }

    /// The state before the first step: the student's weights in both networks, centers at zero.
    pub fn new(
        student: Network,
        shared_head_teacher: bool,
        out_dim: usize,
        patch_out_dim: usize,
        device: &Device,
    ) -> Self {
        let device = device.clone().without_autodiff();
        Self {
            teacher: student.teacher(shared_head_teacher),
            student,
            optimizer: AdamW::default(),
            centers: Centers::zeros(out_dim, patch_out_dim, &device),
        }
    }
}

fn center(tensors: &Weights, name: &str, old: Tensor<2>) -> Result<Tensor<2>, WeightsError> {
    let shape = old.dims();
    let weight = weights::find(tensors, name, shape.to_vec())?;
    Ok(Tensor::from_data(TensorData::new(weight.values.clone(), shape), &old.device()))
}
