//! Monitors of features without labels.

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use ibot_core::grid::GridShape;
use ibot_core::metrics::rank::rankme;
use ibot_core::metrics::structure::{PatchStructure, StructureError};
use serde::{Deserialize, Serialize};

use super::measures::Measures;
use super::sets::spread;
use super::task::{Curve, EvalTask, Subject, TaskOutput, Unit};
use crate::data::Dataset;
use crate::features::{FeatureRows, FeatureStore, Readout};

const HELP: &str = "\
Examples:
  ibot eval rank --data photos/ --model runs/photos
  ibot eval rank --data imagenet/train --model vit_small.pth --images 25600
  ibot eval rank --data photos/ --model pixels

Needs no labels. RankMe (arXiv 2210.02885) counts the directions that CLS tokens use: the exponential of the entropy of
their singular values. It is at most the width of a token and the number of images, so give more images than the width.
The variance of patch tokens is divided: what an image's patches have in common, what a place in the image has in all
images, and the rest, which is content. Coherence says how much the content of a patch is like that of the patches beside
it (Moran's I: 0 for shuffled patches, at most 1). Local structure is content times coherence. It falls if patches lose
their place, copy what the whole image is, or say only where they are.
Compare with --untrained and with other checkpoints of a run: neither number is good or bad by itself.";

const RANKME: &str = "rankme";
const LOCAL: &str = "local_structure";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Rank {
    /// Most images whose CLS tokens are looked at, spread evenly over the set
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub images: usize,
    /// Most images whose patch tokens are looked at, among those
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub patch_images: usize,
}

impl Default for Rank {
    fn default() -> Self {
        Self {
            images: 2000,
            patch_images: 500,
        }
    }
}

impl EvalTask for Rank {
    fn title(&self) -> &'static str {
        "Label-free"
    }

    fn name(&self) -> &'static str {
        "rank"
    }

    fn paper(&self) -> &'static str {
        "none: RankMe is arXiv 2210.02885, local structure is of this program"
    }

    fn meaning(&self) -> &'static str {
        "RankMe counts the directions that CLS tokens use. Local structure is the share of what patch \
         tokens say that depends on image and place and lies in spatial order. Compare checkpoints of \
         one run: neither is good or bad by itself."
    }

    fn suits(&self, data: &Dataset) -> bool {
        self.images > 0 && !data.is_empty()
    }

    fn readouts(&self) -> Vec<Readout> {
        vec![Readout::CLS, Readout::Patches]
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let (data, features) = (subject.data, subject.features);
        let chosen = data.subset(self.images, 0);
        ensure!(!chosen.is_empty(), "the rank of features needs images");

        // Patches first: their pass reads CLS tokens too, the other way round it does not.
        let structure = match self.patch_images {
            0 => None,
            count => structure(features, data, &spread(&chosen, count))?,
        };
        let cls = features.rows(Readout::CLS, data, &chosen)?;
        let rank = rankme(&cls.values, cls.width)
            .context("the CLS tokens hold values that are not finite")?;
        let most = cls.width.min(cls.indices.len());

        Ok(TaskOutput {
            measures: measures(rank, structure.as_ref()),
            images: images(&cls, structure.as_ref()),
            table: table(rank, most, structure.as_ref()),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        let of_patches = |label: &str| Curve {
            quantity: "patch tokens",
            unit: Unit::Share,
            label: label.to_owned(),
        };
        match measure {
            RANKME => Some(Curve {
                quantity: "RankMe",
                unit: Unit::Number,
                label: String::new(),
            }),
            LOCAL => Some(of_patches("local structure")),
            "content" => Some(of_patches("content")),
            "coherence" => Some(of_patches("coherence")),
            _ => None,
        }
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(RANKME)
    }
}

struct Structure {
    of: PatchStructure,
    images: usize,
}

/// `None` for pixels, and where one image or one patch an image leaves nothing to compare.
fn structure(
    features: &FeatureStore,
    data: &Dataset,
    chosen: &[usize],
) -> Result<Option<Structure>> {
    let Some(backbone) = features.backbone() else {
        return Ok(None);
    };
    let size = features.view().size;
    let (rows, columns) = backbone.grid(size, size);
    let grid = GridShape { rows, columns };

    let rows = features.rows(Readout::Patches, data, chosen)?;
    let dim = rows.width / grid.count().max(1);
    match PatchStructure::of(&rows.values, grid, dim) {
        Ok(of) => Ok(Some(Structure {
            of,
            images: rows.indices.len(),
        })),
        Err(StructureError::TooFew { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn measures(rank: f64, structure: Option<&Structure>) -> Measures {
    let mut measures = Measures::default();
    measures.push(RANKME.to_owned(), rank);
    if let Some(Structure { of, .. }) = structure {
        for (name, value) in [
            (LOCAL, of.local()),
            ("content", of.content),
            ("coherence", of.coherence),
            ("image_share", of.image),
            ("position_share", of.position),
        ] {
            measures.push(name.to_owned(), value);
        }
    }
    measures
}

fn images(cls: &FeatureRows, structure: Option<&Structure>) -> Vec<(&'static str, usize)> {
    let mut images = vec![("cls", cls.indices.len())];
    images.extend(structure.map(|structure| ("patches", structure.images)));
    images
}

fn table(rank: f64, most: usize, structure: Option<&Structure>) -> String {
    let mut table = format!("RankMe           {rank:6.1}    of at most {most}");
    let Some(Structure { of, .. }) = structure else {
        return table;
    };
    for (name, value, meaning) in [
        ("local structure", of.local(), "content x coherence"),
        (
            "content",
            of.content,
            "variance by image and place together",
        ),
        (
            "coherence",
            of.coherence,
            "likeness of the content of patches side by side",
        ),
        ("image", of.image, "variance between images"),
        ("position", of.position, "variance between places"),
    ] {
        table += &format!("\n{name:15}  {:6.1} %  {meaning}", 100.0 * value);
    }
    table
}
