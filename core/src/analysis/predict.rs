//! Masked image modelling on one image (paper section 3.2, equation 2): what the student predicts
//! for patches that it does not see, against what the teacher's tokenizer says of them.

use burn::tensor::{Device, ExecutionError, Int, Tensor, Transaction, activation};

use crate::analysis::agreement::Agreement;
use crate::analysis::similarity::{Neighbour, best_patches};
use crate::features::encode::pixels;
use crate::image::RgbImage;
use crate::model::Network;
use crate::pretrain::config::TeacherTempConfig;
use crate::pretrain::distribution;
use crate::pretrain::loss;
use crate::pretrain::loss::LossConfig;
use crate::pretrain::masking::{Mask, masked_rows};

/// How distributions over prototypes are made of logits, and what is reported of them.
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
pub enum PredictError {
    /// The student has no mask token.
    #[error(
        "this network has no mask token and cannot predict: take the student of a training run"
    )]
    NoMaskToken,
    /// There is nothing to predict.
    #[error("nothing is masked: mask at least one of the {rows} x {columns} patches")]
    NothingMasked {
        /// Rows of the mask.
        rows: usize,
        /// Columns of the mask.
        columns: usize,
    },
    /// The networks cut images differently.
    #[error(
        "the student has patches of {student} pixels and the teacher of {teacher}: take both from one run"
    )]
    Patches {
        /// Side of the student's patches.
        student: usize,
        /// Side of the teacher's patches.
        teacher: usize,
    },
    /// Distributions over different prototypes.
    #[error(
        "the {what} has {actual} patch prototypes and the teacher {teacher}: take both from one run"
    )]
    Prototypes {
        /// What does not fit.
        what: &'static str,
        /// Its prototypes.
        actual: usize,
        /// The teacher's prototypes.
        teacher: usize,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(#[from] ExecutionError),
}

/// What became of the masked patches of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The masked patches in order.
    pub patches: Vec<MaskedPatch>,
    /// How often the student is right.
    pub student: Agreement,
    /// How often one would be right who always names the prototypes that the teacher gives to most
    /// visible patches.
    pub baseline: Agreement,
    /// Number K' of prototypes to choose from: blind guesses are right once in K'.
    pub prototypes: usize,
}

/// A masked patch.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedPatch {
    /// Index of the patch, `row * columns + column`.
    pub patch: usize,
    /// The teacher's most likely prototype, which it chose with the patch in sight.
    pub teacher: usize,
    /// Its probability by the teacher.
    pub teacher_probability: f32,
    /// The student's most likely prototype.
    pub student: usize,
    /// Probability of the teacher's prototype by the student.
    pub student_probability: f32,
    /// Prototypes that the student finds more likely than the teacher's; 0 if they agree.
    pub rank: usize,
    /// Kullback-Leibler divergence of the student's distribution from the teacher's, in nats: its
    /// patch loss here, less the entropy of the target, which it cannot help.
    pub divergence: f32,
    /// What the student takes the patch for: the visible patches to whose target its prediction is
    /// closest, the closest first. Their similarity is minus the divergence; above `-divergence`
    /// they fit better than what is hidden.
    pub nearest: Vec<Neighbour>,
}

/// Shows `image`, scaled to the grid of `mask`, whole to the teacher and masked to the student, and
/// compares their distributions over prototypes.
///
/// The mask sets the size: draw or paint it on [`grid_of`](crate::features::encode::grid_of) the image. Both
/// networks are outside autodiff (`Module::valid`); where there is only one, a student, it can be
/// its own teacher. With all patches masked no visible ones are named and the baseline is 0.
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
) -> Result<Prediction, PredictError> {
    let masks = std::slice::from_ref(mask);
    let prototypes = check(student, teacher, options)?;
    let nothing = PredictError::NothingMasked {
        rows: mask.rows(),
        columns: mask.columns(),
    };
    let masked_patches = masked_rows(masks, 0, device).ok_or(nothing)?;
    let pixels = pixels(
        image,
        mask.rows(),
        mask.columns(),
        student.backbone.stride(),
        device,
    );

    let predicted = masked_logits(student, pixels.clone(), masks, masked_patches.clone());
    let predicted = activation::log_softmax(predicted / options.student_temp, 1);
    let targets = targets(teacher, pixels, options, device);

    let (probabilities, choices) = targets.clone().max_dim_with_indices(1);
    let choices_masked = choices.clone().select(0, masked_patches);
    let of_choice = predicted.clone().gather(1, choices_masked);
    let better = predicted
        .clone()
        .greater(of_choice.clone().expand(predicted.dims()));
    let cross_entropies = predicted.clone().matmul(targets.clone().transpose()).neg();
    let divergences = cross_entropies - loss::entropy(targets).transpose();
    let data = Transaction::default()
        .register(probabilities)
        .register(choices)
        .register(predicted.argmax(1))
        .register(of_choice.exp())
        .register(better.int().sum_dim(1))
        .register(divergences)
        .execute_async()
        .await?;
    // A transaction returns one entry for each registered tensor.
    let [
        probabilities,
        choices,
        guesses,
        of_choice,
        ranks,
        divergences,
    ] = &data[..]
    else {
        unreachable!("six tensors were registered")
    };
    let probabilities: Vec<f32> = probabilities.iter().collect();
    let choices: Vec<usize> = choices
        .iter::<u32>()
        .map(|choice| choice as usize)
        .collect();
    let divergences: Vec<f32> = divergences.iter().collect();

    let rows = guesses
        .iter::<u32>()
        .zip(of_choice.iter::<f32>())
        .zip(ranks.iter::<u32>());
    let rows = rows
        .zip(divergences.chunks(choices.len()))
        .zip(mask.patches(true));
    let patches: Vec<MaskedPatch> = rows
        .map(
            |((((guess, student_probability), rank), divergences), patch)| MaskedPatch {
                patch,
                teacher: choices[patch],
                teacher_probability: probabilities[patch],
                student: guess as usize,
                student_probability,
                rank: rank as usize,
                divergence: divergences[patch],
                nearest: nearest(divergences, mask, options.nearest),
            },
        )
        .collect();
    Ok(Prediction {
        student: Agreement::of(&patches.iter().map(|patch| patch.rank).collect::<Vec<_>>()),
        baseline: Agreement::of_most_frequent(&choices, mask),
        patches,
        prototypes,
    })
}

/// The number of prototypes, if everything fits.
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
    let center = options
        .center
        .as_ref()
        .map(|center| ("center", center.dims()[1]));
    for (what, actual) in [("student", student.head.patch_prototypes())]
        .into_iter()
        .chain(center)
    {
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

/// The student's logits of the masked patches, `[M, K']`; only those go through its head.
fn masked_logits(
    student: &Network,
    pixels: Tensor<4>,
    masks: &[Mask],
    masked: Tensor<1, Int>,
) -> Tensor<2> {
    let Network { backbone, head } = student;
    let tokens = backbone.forward(pixels, masks, &mut None);
    let patches = tokens.into_patches().squeeze_dim::<2>(0);
    head.patch_logits(head.bottleneck(patches.select(0, masked)))
}

/// The teacher's distributions of all patches, `[N, K']`: the masked ones are the answers, the
/// visible ones what predictions are compared with.
fn targets(
    teacher: &Network,
    pixels: Tensor<4>,
    options: &PredictOptions,
    device: &Device,
) -> Tensor<2> {
    let Network { backbone, head } = teacher;
    let tokens = backbone.forward(pixels, &[], &mut None);
    let patches = tokens.into_patches().squeeze_dim::<2>(0);
    let logits = head.patch_logits(head.bottleneck(patches));
    let center = options
        .center
        .clone()
        .unwrap_or_else(|| Tensor::zeros([1, logits.dims()[1]], device));
    distribution(logits, center, options.teacher_patch_temp)
}

/// The `k` visible patches of least divergence.
fn nearest(divergences: &[f32], mask: &Mask, k: usize) -> Vec<Neighbour> {
    let visible =
        |(divergence, masked): (&f32, &bool)| if *masked { f32::NAN } else { -divergence };
    let similarities: Vec<f32> = divergences.iter().zip(mask.cells()).map(visible).collect();
    best_patches(&similarities, mask.columns(), k, 0.0)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;
    use crate::testing::{small_network, test};
    use crate::weights;

    const TEMP: f64 = 0.1;

    fn image() -> RgbImage {
        RgbImage::from_fn(24, 16, |x, y| {
            [(x * 10) as u8, (y * 15) as u8, (x * y) as u8]
        })
    }

    /// A 4 x 6 grid.
    fn mask(masked: &[usize]) -> Mask {
        Mask::new(4, 6, (0..24).map(|patch| masked.contains(&patch)).collect())
    }

    fn options() -> PredictOptions {
        PredictOptions {
            student_temp: TEMP,
            teacher_patch_temp: TEMP,
            ..PredictOptions::default()
        }
    }

    fn predicted(
        student: &Network,
        teacher: &Network,
        mask: &Mask,
        options: &PredictOptions,
    ) -> Prediction {
        block_on(predict(
            student,
            teacher,
            &image(),
            mask,
            options,
            &Device::flex(),
        ))
        .expect("a prediction")
    }

    /// Distributions of a network's patches in f64, the definition without a tensor.
    fn distributions(
        network: &Network,
        masks: &[Mask],
        center: &[f64],
        temperature: f64,
    ) -> Vec<Vec<f64>> {
        let tokens =
            network
                .backbone
                .forward(pixels(&image(), 4, 6, 4, &Device::flex()), masks, &mut None);
        let tokens = tokens.into_patches().flatten::<2>(0, 1);
        let logits: Vec<f32> = network
            .head
            .patch_logits(network.head.bottleneck(tokens))
            .try_into_vec_as()
            .expect("floats");
        let softmax = |logits: &[f32]| {
            let exps: Vec<f64> = logits
                .iter()
                .zip(center)
                .map(|(l, c)| ((f64::from(*l) - c) / temperature).exp())
                .collect();
            let total: f64 = exps.iter().sum();
            exps.iter().map(|e| e / total).collect()
        };
        logits.chunks(12).map(softmax).collect()
    }

    fn argmax(row: &[f64]) -> usize {
        (0..row.len())
            .max_by(|a, b| row[*a].total_cmp(&row[*b]))
            .expect("a row")
    }

    fn divergence(target: &[f64], prediction: &[f64]) -> f64 {
        target
            .iter()
            .zip(prediction)
            .map(|(t, p)| t * (t / p).ln())
            .sum()
    }

    #[test]
    fn every_number_follows_from_the_two_distributions() {
        let device = Device::flex();
        let (student, teacher) = (
            small_network(1, &device),
            small_network(2, &device).teacher(true),
        );
        let mask = mask(&[3, 4, 9, 10, 20]);
        let center: Vec<f64> = (0..12).map(|k| f64::from(k) * 0.02 - 0.1).collect();
        let values: Vec<f32> = center.iter().map(|c| *c as f32).collect();
        let center_tensor = Tensor::<1>::from_data(&values[..], &device).unsqueeze();
        let options = PredictOptions {
            center: Some(center_tensor),
            teacher_patch_temp: 0.05,
            ..options()
        };
        let found = predicted(&student, &teacher, &mask, &options);

        let targets = distributions(&teacher, &[], &center, 0.05);
        let guesses = distributions(&student, std::slice::from_ref(&mask), &[0.0; 12], TEMP);
        assert_eq!(
            found
                .patches
                .iter()
                .map(|patch| patch.patch)
                .collect::<Vec<_>>(),
            [3, 4, 9, 10, 20]
        );
        for patch in &found.patches {
            let (target, guess) = (&targets[patch.patch], &guesses[patch.patch]);
            assert_eq!(
                (patch.teacher, patch.student),
                (argmax(target), argmax(guess))
            );
            assert!((f64::from(patch.teacher_probability) - target[patch.teacher]).abs() < 1e-5);
            assert!((f64::from(patch.student_probability) - guess[patch.teacher]).abs() < 1e-5);
            assert_eq!(
                patch.rank,
                guess.iter().filter(|p| **p > guess[patch.teacher]).count()
            );
            assert!((f64::from(patch.divergence) - divergence(target, guess)).abs() < 1e-4);
            let mut visible: Vec<usize> = (0..24).filter(|patch| !mask.cells()[*patch]).collect();
            visible.sort_by(|a, b| {
                divergence(&targets[*a], guess).total_cmp(&divergence(&targets[*b], guess))
            });
            assert_eq!(
                patch
                    .nearest
                    .iter()
                    .map(|near| near.patch)
                    .collect::<Vec<_>>(),
                visible[..5]
            );
            let best = f64::from(patch.nearest[0].similarity);
            assert!((best + divergence(&targets[visible[0]], guess)).abs() < 1e-4);
        }
        let right = found
            .patches
            .iter()
            .filter(|patch| patch.student == patch.teacher)
            .count();
        assert_eq!(
            (found.student.top1, found.prototypes),
            (right as f64 / 5.0, 12)
        );
    }

    /// Where every patch embeds to the mask token, nothing is hidden.
    #[test]
    fn a_student_that_sees_agrees_with_its_teacher() {
        let device = Device::flex();
        let network = small_network(3, &device);
        let mut weights = block_on(weights::read(&network)).expect("a working device");
        let token: Vec<f32> = (0..16).map(|i| (i as f32).sin()).collect();
        weights
            .get_mut("backbone.patch_embed.proj.weight")
            .expect("the projection")
            .values
            .fill(0.0);
        weights
            .get_mut("backbone.patch_embed.proj.bias")
            .expect("its bias")
            .values
            .clone_from(&token);
        weights
            .get_mut("backbone.masked_embed")
            .expect("the mask token")
            .values = token;
        let student = weights::write(network, &weights).expect("its own weights");
        let found = predicted(
            &student,
            &student.clone().teacher(true),
            &mask(&[1, 7, 8]),
            &options(),
        );
        assert_eq!(
            found.student,
            Agreement {
                top1: 1.0,
                top5: 1.0
            }
        );
        for patch in &found.patches {
            assert!(patch.divergence.abs() < 1e-5, "{patch:?}");
            assert!(
                (patch.student_probability - patch.teacher_probability).abs() < 1e-5,
                "{patch:?}"
            );
        }
    }

    #[test]
    fn with_all_masked_nothing_is_near() {
        let network = small_network(4, &Device::flex());
        let found = predicted(
            &network,
            &network,
            &mask(&(0..24).collect::<Vec<_>>()),
            &options(),
        );
        assert_eq!(
            (found.patches.len(), found.patches[0].nearest.len()),
            (24, 0)
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let device = Device::flex();
        let student = small_network(5, &device);
        let fails = |student: &Network, mask: &Mask, options: &PredictOptions| {
            block_on(predict(
                student,
                &small_network(6, &device),
                &image(),
                mask,
                options,
                &device,
            ))
            .expect_err("a mistake")
        };
        assert!(matches!(
            fails(&student, &mask(&[]), &options()),
            PredictError::NothingMasked {
                rows: 4,
                columns: 6
            }
        ));
        assert!(matches!(
            fails(&student.clone().teacher(true), &mask(&[1]), &options()),
            PredictError::NoMaskToken
        ));
        let center = PredictOptions {
            center: Some(Tensor::zeros([1, 11], &device)),
            ..options()
        };
        let error = fails(&student, &mask(&[1]), &center);
        assert!(
            matches!(
                error,
                PredictError::Prototypes {
                    what: "center",
                    actual: 11,
                    teacher: 12
                }
            ),
            "{error}"
        );
    }
}
