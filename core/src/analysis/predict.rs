//! Masked image modelling on one image (paper section 3.2, equation 2): the student's prediction of
//! patches that it does not see, against the teacher's tokens of them.

use burn::tensor::{Device, ExecutionError, Int, Tensor, activation};

mod compare;

pub use compare::MaskedPatch;

use crate::analysis::agreement::Agreement;
use crate::features::encode::pixels;
use crate::image::RgbImage;
use crate::model::Network;
use crate::model::mask::{Mask, masked_rows};
use crate::pretrain::config::TeacherTempConfig;
use crate::pretrain::distribution;
use crate::pretrain::loss::LossConfig;
use compare::compare;

/// From logits to distributions over prototypes, and how much to report.
#[derive(Clone, Debug)]
pub struct PredictOptions {
    /// Temperature of the student.
    pub student_temp: f64,
    /// Temperature of the teacher's patch targets.
    pub teacher_patch_temp: f64,
    /// Center of the teacher's patch logits, `[1, K']`, on the networks' device. Exported files
    /// hold none; without it logits are taken as they are, and the teacher's choices are less even
    /// than in training.
    pub center: Option<Tensor<2>>,
    /// Visible patches to name for each masked one.
    pub nearest: usize,
}

impl Default for PredictOptions {
    fn default() -> Self {
        Self {
            student_temp: LossConfig::default().student_temp,
            teacher_patch_temp: TeacherTempConfig::default().teacher_patch_temp,
            center: None,
            nearest: 5,
        }
    }
}

/// Why nothing could be predicted.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum PredictError {
    #[error(
        "this network has no mask token and cannot predict: take the student of a training run"
    )]
    NoMaskToken,
    #[error("nothing is masked: mask at least one of the {rows} x {columns} patches")]
    NothingMasked { rows: usize, columns: usize },
    #[error(
        "the student has patches of {student} pixels and the teacher of {teacher}: take both from one run"
    )]
    Patches { student: usize, teacher: usize },
    #[error(
        "the {what} has {actual} patch prototypes and the teacher {teacher}: take both from one run"
    )]
    Prototypes {
        what: &'static str,
        actual: usize,
        teacher: usize,
    },
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// The predictions of an image's masked patches.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedPrediction {
    /// The masked patches in order.
    pub patches: Vec<MaskedPatch>,
    /// How often the student is right.
    pub student: Agreement,
    /// How often a constant guess is right: the prototypes that the teacher gives to most visible
    /// patches.
    pub baseline: Agreement,
    /// Number K' of prototypes to choose from: blind guesses are right once in K'.
    pub prototypes: usize,
}

/// Shows `image`, scaled to the grid of `mask`, whole to the teacher and masked to the student, and
/// compares their distributions over prototypes.
///
/// The mask sets the size: draw or paint it on [`grid_of`](crate::features::encode::grid_of) the
/// image. Both networks are outside autodiff (`Module::valid`); where there is only one, a student,
/// it can be its own teacher. With all patches masked no visible ones are named and the baseline is
/// 0.
///
/// # Errors
/// If nothing is masked, the student has no mask token, the networks or the center do not fit, or
/// the device fails.
pub async fn predict(
    student: &Network,
    teacher: &Network,
    image: &RgbImage,
    mask: &Mask,
    options: &PredictOptions,
    device: &Device,
) -> Result<MaskedPrediction, PredictError> {
    let prototypes = check(student, teacher, options)?;
    let nothing = PredictError::NothingMasked {
        rows: mask.rows(),
        columns: mask.columns(),
    };
    let masked = masked_rows(std::slice::from_ref(mask), 0, device).ok_or(nothing)?;
    let stride = student.backbone.stride();
    let pixels = pixels(image, mask.rows(), mask.columns(), stride, device);

    let predicted = masked_logits(student, pixels.clone(), mask, masked.clone());
    let predicted = activation::log_softmax(predicted / options.student_temp, 1);
    let targets = targets(teacher, pixels, options, device);
    let compared = compare(predicted, targets, masked).await?;

    let patches = compared.masked_patches(mask, options.nearest);
    let ranks: Vec<usize> = patches.iter().map(|patch| patch.rank).collect();
    Ok(MaskedPrediction {
        student: Agreement::of(&ranks),
        baseline: Agreement::of_most_frequent(&compared.choices, mask),
        patches,
        prototypes,
    })
}

fn check(
    student: &Network,
    teacher: &Network,
    options: &PredictOptions,
) -> Result<usize, PredictError> {
    if !student.backbone.has_mask_token() {
        return Err(PredictError::NoMaskToken);
    }
    let (own, other) = (student.backbone.stride(), teacher.backbone.stride());
    if own != other {
        return Err(PredictError::Patches {
            student: own,
            teacher: other,
        });
    }

    let count = teacher.head.patch_prototypes();
    let mut counts = vec![("student", student.head.patch_prototypes())];
    if let Some(center) = &options.center {
        counts.push(("center", center.dims()[1]));
    }
    for (what, actual) in counts {
        if actual != count {
            return Err(PredictError::Prototypes {
                what,
                actual,
                teacher: count,
            });
        }
    }
    Ok(count)
}

/// The student's logits of the masked patches, `[M, K']`.
fn masked_logits(
    student: &Network,
    pixels: Tensor<4>,
    mask: &Mask,
    masked: Tensor<1, Int>,
) -> Tensor<2> {
    let Network { backbone, head } = student;
    let tokens = backbone.forward(pixels, std::slice::from_ref(mask), &mut None);
    let patches = tokens.into_patches().squeeze_dim::<2>(0);

    // Only these go through the head, whose outputs are far wider than tokens.
    head.patch_logits(head.patch_bottleneck(patches.select(0, masked)))
}

/// The teacher's distributions of all patches, `[N, K']`.
fn targets(
    teacher: &Network,
    pixels: Tensor<4>,
    options: &PredictOptions,
    device: &Device,
) -> Tensor<2> {
    let Network { backbone, head } = teacher;
    let tokens = backbone.forward(pixels, &[], &mut None);
    let patches = tokens.into_patches().squeeze_dim::<2>(0);

    // The masked ones are the answers, the visible ones what predictions are compared with.
    let logits = head.patch_logits(head.patch_bottleneck(patches));
    let no_center = || Tensor::zeros([1, logits.dims()[1]], device);
    let center = options.center.clone().unwrap_or_else(no_center);
    distribution(logits, center, options.teacher_patch_temp)
}

#[cfg(test)]
mod tests;
