//! Networks from files, with a report of what became of every tensor.

use std::collections::BTreeMap;
use std::fmt;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

use super::{Checkpoint, InferError, Weight, WeightsError, infer, write_present};
use crate::model::pos_embed;
use crate::model::pos_embed::Sampling;
use crate::model::{Ffn, HeadConfig, Network, Vit, VitConfig};
use crate::rng::{Purpose, stream};

/// Why a file's tensors do not make the network.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The tensors tell no network.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// A tensor does not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Parameters of the network are not in the file.
    #[error(
        "the file lacks {count} tensors of the network: {names}; --allow-partial leaves them at random values"
    )]
    Missing {
        /// How many.
        count: usize,
        /// The first ones.
        names: String,
    },
    /// There is no projection head.
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
    /// Side of the grid of position embeddings before and after their interpolation, if they were
    /// interpolated.
    pub interpolated: Option<(usize, usize)>,
    /// Number of tensors cast to 32-bit floats, by the type they had.
    pub cast: BTreeMap<String, usize>,
    /// Second names of tensors that were read once.
    pub tied: Vec<String>,
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
        if let Some((from, to)) = self.interpolated {
            write!(
                f,
                ", position embeddings interpolated from {from} x {from} to {to} x {to}"
            )?;
        }
        self.cast
            .iter()
            .try_for_each(|(dtype, count)| write!(f, ", {count} cast from {dtype}"))
    }
}

impl Checkpoint {
    /// The backbone's dimensions. `heads` overrides what the file says or suggests.
    ///
    /// # Errors
    /// If the tensors are not those of a vision transformer.
    pub fn vit(&self, heads: Option<usize>) -> Result<VitConfig, LoadError> {
        let known = heads.or_else(|| self.header.as_ref().map(|header| header.vit.heads));
        let inferred = infer::vit(&self.weights, known)?;
        let pos_sampling = self
            .header
            .as_ref()
            .map_or(inferred.pos_sampling, |header| header.vit.pos_sampling);
        Ok(VitConfig {
            pos_sampling,
            ..inferred
        })
    }

    /// The head's dimensions.
    ///
    /// # Errors
    /// If there is no iBOT head.
    pub fn head(&self) -> Result<HeadConfig, LoadError> {
        infer::head(&self.weights).ok_or(LoadError::NoHead)
    }

    /// The backbone `config` with these weights; its position embeddings are interpolated if its
    /// grid is another.
    ///
    /// # Errors
    /// If a tensor does not fit, or is missing and may not be.
    pub fn backbone(
        &self,
        config: &VitConfig,
        allow_partial: bool,
        device: &Device,
    ) -> Result<(Vit, LoadReport), LoadError> {
        let (fresh, mut report) = (
            config.init(device, &mut stream(0, Purpose::Init, 0, 0)),
            self.report(config),
        );
        let backbone = self.fill(fresh, str::to_owned, config, allow_partial, &mut report)?;
        Ok((backbone, report))
    }

    /// Backbone and head with these weights.
    ///
    /// # Errors
    /// If a tensor does not fit, is missing and may not be, or there is no head.
    pub fn network(
        &self,
        config: &VitConfig,
        allow_partial: bool,
        device: &Device,
    ) -> Result<(Network, LoadReport), LoadError> {
        let fresh = Network::init(
            config,
            &self.head()?,
            device,
            &mut stream(0, Purpose::Init, 0, 0),
        );
        let mut report = self.report(config);
        let network = self.fill(fresh, in_network, config, allow_partial, &mut report)?;
        Ok((network, report))
    }

    /// `student` started from these weights: what fits is taken, and a head or mask token that the
    /// file lacks stays as it is. The backbone must be whole.
    ///
    /// # Errors
    /// If a tensor does not fit, or one of the backbone is missing.
    pub fn start(
        &self,
        student: Network,
        config: &VitConfig,
    ) -> Result<(Network, LoadReport), LoadError> {
        let mut report = self.report(config);
        let student = self.fill(student, in_network, config, true, &mut report)?;
        let optional =
            |name: &&String| name.starts_with("head.") || *name == "backbone.masked_embed";
        refuse(report.missing.iter().filter(|name| !optional(name)))?;
        Ok((student, report))
    }

    fn fill<M: Module>(
        &self,
        module: M,
        name: impl Fn(&str) -> String,
        config: &VitConfig,
        allow_partial: bool,
        report: &mut LoadReport,
    ) -> Result<M, LoadError> {
        let weights = self.weights.iter().map(|(own, weight)| {
            let weight = match report.interpolated {
                Some((_, side)) if own == "pos_embed" => {
                    positions(weight, side, config.pos_sampling)
                }
                _ => weight.clone(),
            };
            (name(own), weight)
        });
        let weights = weights.collect();
        let (module, written) = write_present(module, &weights)?;
        if !allow_partial {
            refuse(written.missing.iter())?;
        }
        report.matched = written.matched.len();
        report.missing = written.missing;
        report.unused = weights
            .into_keys()
            .filter(|name| !written.matched.contains(name))
            .collect();
        report.unused.sort_unstable();
        Ok(module)
    }

    fn report(&self, config: &VitConfig) -> LoadReport {
        let own = self
            .weights
            .get("pos_embed")
            .map_or(config.grid(), |weight| {
                weight
                    .shape
                    .get(1)
                    .map_or(0, |count| count.saturating_sub(1).isqrt())
            });
        LoadReport {
            section: self.section.clone(),
            network: describe(config),
            interpolated: (own != config.grid()).then_some((own, config.grid())),
            cast: self
                .cast
                .iter()
                .map(|(dtype, names)| (dtype.clone(), names.len()))
                .collect(),
            tied: self.tied.clone(),
            ..LoadReport::default()
        }
    }
}

/// Position embeddings for a square grid of `side` patches a side.
fn positions(weight: &Weight, side: usize, sampling: Sampling) -> Weight {
    let &[1, count, dim] = &weight.shape[..] else {
        return weight.clone();
    };
    let own = (count - 1).isqrt();
    // The CPU answers at once everywhere, which a browser's GPU does not.
    let patches = TensorData::new(weight.values[dim..].to_vec(), [1, own * own, dim]);
    let patches = Tensor::<3>::from_data(patches, &Device::flex());
    let patches = pos_embed::interpolate(patches, (own, own), (side, side), sampling).into_data();
    let values = weight.values[..dim]
        .iter()
        .copied()
        .chain(patches.iter::<f32>())
        .collect();
    Weight {
        shape: vec![1, 1 + side * side, dim],
        values,
    }
}

/// Our name of a tensor within a [`Network`].
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

/// A backbone in words.
fn describe(config: &VitConfig) -> String {
    let VitConfig {
        dim,
        depth,
        heads,
        patch_size,
        image_size,
        ..
    } = config;
    let mut words = format!(
        "ViT {dim} wide, {depth} blocks, {heads} heads, patch {patch_size}, made for {image_size} px"
    );
    if config.layerscale.is_some() {
        words += ", LayerScale";
    }
    if config.ffn == Ffn::SwiGlu {
        words += ", SwiGLU";
    }
    if config.registers > 0 {
        words += &format!(", {} registers", config.registers);
    }
    words
}
