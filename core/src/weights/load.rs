//! Networks from files, with a report of what became of every tensor.

use std::collections::BTreeMap;
use std::fmt;

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;

use super::checkpoint::Checkpoint;
use super::infer::{InferError, Resized};
use super::transfer::{WeightsError, write_present};
use super::weight::Weights;
use crate::model::{Backbone, BackboneConfig, HeadConfig, Network};
use crate::rng::{Purpose, stream};

/// Why a file's tensors do not make the network.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant has its message")]
pub enum LoadError {
    #[error(transparent)]
    Infer(#[from] InferError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error("the file lacks {count} tensors of the network: {names}")]
    Missing { count: usize, names: String },
    #[error(
        "the file holds a backbone without iBOT head; prototypes need a training checkpoint, or a file exported with its head"
    )]
    NoHead,
}

/// What became of the tensors of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadReport {
    /// Part of the file that was read.
    pub section: Option<String>,
    /// The network in words.
    pub network: String,
    /// Tensors that the network took.
    pub matched: usize,
    /// Parameters without a tensor; they keep their initial values.
    pub missing: Vec<String>,
    /// Tensors that the network has no use for.
    pub unused: Vec<String>,
    /// What was interpolated to another grid, such as position embeddings, if anything was.
    pub interpolated: Option<Interpolated>,
    /// Number of tensors cast to 32-bit floats, by the type they had.
    pub cast: BTreeMap<String, usize>,
    /// Second names of tensors that were read once.
    pub tied: Vec<String>,
}

/// What was interpolated, and the sides of its grid before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Interpolated {
    /// In words.
    pub what: &'static str,
    /// Side of the grid in the file.
    pub from: usize,
    /// Side of the grid in the network.
    pub to: usize,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.network)?;
        if let Some(section) = &self.section {
            write!(f, ", `{section}` of the file")?;
        }

        write!(f, "\n        {} tensors matched", self.matched)?;
        for (what, names) in [
            ("missing", &self.missing),
            ("unused", &self.unused),
            ("tied", &self.tied),
        ] {
            if !names.is_empty() {
                write!(f, ", {} {what} ({})", names.len(), few(names))?;
            }
        }
        if let Some(Interpolated { what, from, to }) = self.interpolated {
            write!(
                f,
                ", {what} interpolated from {from} x {from} to {to} x {to}"
            )?;
        }
        for (dtype, count) in &self.cast {
            write!(f, ", {count} cast from {dtype}")?;
        }
        Ok(())
    }
}

impl Checkpoint {
    /// The backbone's family and dimensions. `heads` overrides what the file says or suggests.
    ///
    /// # Errors
    /// If the tensors are not those of a backbone that this program has.
    pub fn config(&self, heads: Option<usize>) -> Result<BackboneConfig, LoadError> {
        let Some(header) = &self.header else {
            return Ok(BackboneConfig::infer(&self.weights, heads)?);
        };
        // Shapes of tensors do not tell the number of heads.
        let heads = heads.unwrap_or(header.backbone.heads());
        let inferred = BackboneConfig::infer(&self.weights, Some(heads))?;
        Ok(inferred.sampled_as(&header.backbone))
    }

    /// The head's dimensions.
    ///
    /// # Errors
    /// If there is no iBOT head.
    pub fn head(&self) -> Result<HeadConfig, LoadError> {
        HeadConfig::infer(&self.weights).ok_or(LoadError::NoHead)
    }

    /// The backbone `config` with these weights; what lies on a grid, as position embeddings do, is
    /// interpolated if the network's is another.
    ///
    /// # Errors
    /// If a tensor does not fit, or is missing and may not be.
    pub fn backbone(
        &self,
        config: &BackboneConfig,
        allow_partial: bool,
        device: &Device,
    ) -> Result<(Backbone, LoadReport), LoadError> {
        // Any seed will do: values that the file lacks are refused, or reported as missing.
        let fresh = config.init(device, &mut stream(0, Purpose::Init, 0, 0));
        self.fill(fresh, str::to_owned, config, allow_partial)
    }

    /// Backbone and head with these weights.
    ///
    /// # Errors
    /// If a tensor does not fit, is missing and may not be, or there is no head.
    pub fn network(
        &self,
        config: &BackboneConfig,
        allow_partial: bool,
        device: &Device,
    ) -> Result<(Network, LoadReport), LoadError> {
        let fresh = Network::init(
            config,
            &self.head()?,
            device,
            &mut stream(0, Purpose::Init, 0, 0),
        );
        self.fill(fresh, in_network, config, allow_partial)
    }

    /// `student` started from these weights: what fits is taken, and a head or mask token that the
    /// file lacks stays as it is. The backbone must be whole.
    ///
    /// # Errors
    /// If a tensor does not fit, or one of the backbone is missing.
    pub fn start(
        &self,
        student: Network,
        config: &BackboneConfig,
    ) -> Result<(Network, LoadReport), LoadError> {
        // Anything may be missing at first; what may not is refused below.
        let (student, report) = self.fill(student, in_network, config, true)?;
        // A backbone alone is what most files hold; the rest can be learned anew.
        let optional =
            |name: &&String| name.starts_with("head.") || *name == "backbone.masked_embed";
        refuse(report.missing.iter().filter(|name| !optional(name)))?;
        Ok((student, report))
    }

    /// `module` with the tensors of the file, whose names are those that `name` gives.
    fn fill<M: Module>(
        &self,
        module: M,
        name: impl Fn(&str) -> String,
        config: &BackboneConfig,
        allow_partial: bool,
    ) -> Result<(M, LoadReport), LoadError> {
        let mut weights = Weights::with_capacity(self.weights.len());
        for (own, weight) in &self.weights {
            weights.insert(name(own), weight.clone());
        }
        // From the file's own names, as those that `name` gives are another module's.
        let resized = config.resize(&self.weights);
        let mut interpolated = None;
        if let Some(resized) = resized {
            let Resized { what, from, to, .. } = resized;
            interpolated = Some(Interpolated { what, from, to });
            for (own, weight) in resized.weights {
                weights.insert(name(&own), weight);
            }
        }

        let (module, written) = write_present(module, &weights)?;
        if !allow_partial {
            refuse(written.missing.iter())?;
        }

        let mut unused: Vec<String> = weights
            .into_keys()
            .filter(|name| !written.matched.contains(name))
            .collect();
        // A HashMap has no order of its own, but a report should be the same each time.
        unused.sort_unstable();
        let cast = self
            .cast
            .iter()
            .map(|(dtype, names)| (dtype.clone(), names.len()))
            .collect();
        let report = LoadReport {
            section: self.section.clone(),
            network: config.to_string(),
            matched: written.matched.len(),
            missing: written.missing,
            unused,
            interpolated,
            cast,
            tied: self.tied.clone(),
        };
        Ok((module, report))
    }
}

fn in_network(name: &str) -> String {
    if name.starts_with("head.") {
        name.to_owned()
    } else {
        format!("backbone.{name}")
    }
}

fn refuse<'a>(missing: impl Iterator<Item = &'a String>) -> Result<(), LoadError> {
    let names: Vec<String> = missing.cloned().collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Missing {
            count: names.len(),
            names: few(&names),
        })
    }
}

fn few(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(3)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > 3 {
        format!("{shown}, ...")
    } else {
        shown
    }
}
