//! Attentive probes that learn beside the linear heads, in the same pass over the images.

use anyhow::{Result, bail};
use ibot_core::eval::attentive::{AttentiveFit, AttentiveSettings};

use super::super::attentive::{Attentive, USUAL_BYTES};
use super::super::measures::Measures;
use super::super::probes::{AttentiveProbe, measures, table};
use super::super::sets::Subset;
use super::super::task::Subject;
use crate::features::Readout;

/// Begins the names of the measures.
pub const PREFIX: &str = "attentive_";

/// How the probes are trained; the rest is as in `ibot eval attentive`.
pub struct Beside {
    pub classes: usize,
    /// Steps of the whole training.
    pub steps: usize,
    pub seed: u64,
}

impl Beside {
    /// The probes before their first step. Their patch tokens are large, so that they are judged by
    /// only as many images of `val` as fit in memory.
    ///
    /// # Errors
    /// If the model has no patch tokens, no image can be read, or the device fails.
    pub fn probe(&self, subject: &Subject, val: &Subset) -> Result<AttentiveProbe> {
        let Some(backbone) = subject.features.backbone() else {
            bail!("attentive probes read patch tokens, which plain pixels do not have");
        };
        let width = backbone.dim();
        let side = subject.features.view().size / backbone.stride();
        let most = USUAL_BYTES / (side * side * width * size_of::<f32>());

        let judges = val.evenly(most.max(1));
        let rows = judges.labelled(Readout::Patches, subject.features)?;
        let usual = Attentive::default();
        let settings = AttentiveSettings {
            classes: self.classes,
            queries: usual.queries,
            rates: usual.lr,
            weight_decay: usual.weight_decay,
            steps: self.steps,
            seed: self.seed,
        };
        Ok(AttentiveProbe {
            width,
            fit: AttentiveFit::new(&settings, AttentiveProbe::patches(rows, width))?,
        })
    }
}

/// Adds the measures of trained probes, and their table below that of the heads.
pub fn add(fit: &AttentiveFit, found: &mut Measures, shown: &mut String) {
    let Some((epochs, best)) = fit.best() else {
        return;
    };
    for (name, value) in measures(fit.scores(), best, epochs).iter() {
        found.push(format!("{PREFIX}{name}"), value);
    }
    let rows = table(fit.scores(), best, epochs);
    *shown += &format!("\n\nattentive probes in the same pass\n{rows}");
}
