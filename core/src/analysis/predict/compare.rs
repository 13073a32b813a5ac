//! The student's distributions over prototypes beside the teacher's.

use burn::tensor::{ExecutionError, Int, Tensor, TensorData, Transaction};

use crate::analysis::similarity::{Neighbour, best_patches};
use crate::model::Mask;
use crate::pretrain::loss;

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
    /// patch loss here, without the entropy of the target, which no student can remove.
    pub divergence: f32,
    /// The visible patches to whose target the student's prediction is closest, the closest first.
    /// Their similarity is minus the divergence; above `-divergence` they fit better than the
    /// hidden patch itself.
    pub nearest: Vec<Neighbour>,
}

/// The distributions of M masked patches beside those of all N, on the host.
pub(super) struct Comparison {
    /// The teacher's most likely prototype of each patch, `[N]`.
    pub choices: Vec<usize>,
    /// Its probability by the teacher, `[N]`.
    choice_probabilities: Vec<f32>,
    guesses: Vec<usize>,
    /// Probability by the student of the teacher's choice, `[M]`.
    probabilities: Vec<f32>,
    /// Prototypes that the student finds more likely than the teacher's choice, `[M]`.
    ranks: Vec<usize>,
    /// Divergence of the student's distribution of each masked patch from the teacher's of each
    /// patch, `[M, N]`.
    divergences: Vec<f32>,
}

/// Compares the student's log-probabilities of the masked patches, `[M, K']`, with the teacher's
/// probabilities of all patches, `[N, K']`, on the device, and brings the results to the host.
pub(super) async fn compare(
    predicted: Tensor<2>,
    targets: Tensor<2>,
    masked: Tensor<1, Int>,
) -> Result<Comparison, ExecutionError> {
    let (choice_probabilities, choices) = targets.clone().max_dim_with_indices(1);

    // The student agrees with the teacher where the choice's rank is 0. Only prototypes that are
    // strictly more likely count, so that equals do not depend on their order.
    let answers = choices.clone().select(0, masked);
    let of_answer = predicted.clone().gather(1, answers);
    let more_likely = predicted
        .clone()
        .greater(of_answer.clone().expand(predicted.dims()));
    let ranks = more_likely.int().sum_dim(1);

    // KL(t || p) = -sum t log p + sum t log t, for every masked patch with every target at once:
    // the cross-entropies are one matrix product, the entropies one row below it.
    let cross_entropies = predicted.clone().matmul(targets.clone().transpose()).neg();
    let divergences = cross_entropies - loss::entropy(targets).transpose();

    let data = Transaction::default()
        .register(choices)
        .register(choice_probabilities)
        .register(predicted.argmax(1))
        .register(of_answer.exp())
        .register(ranks)
        .register(divergences)
        .execute_async()
        .await?;
    // A transaction returns one entry for each registered tensor.
    let [
        choices,
        choice_probabilities,
        guesses,
        probabilities,
        ranks,
        divergences,
    ] = &data[..]
    else {
        unreachable!("six tensors were registered")
    };
    Ok(Comparison {
        choices: indices(choices),
        choice_probabilities: choice_probabilities.iter().collect(),
        guesses: indices(guesses),
        probabilities: probabilities.iter().collect(),
        ranks: indices(ranks),
        divergences: divergences.iter().collect(),
    })
}

fn indices(data: &TensorData) -> Vec<usize> {
    data.iter::<u32>().map(|index| index as usize).collect()
}

impl Comparison {
    /// One entry a masked patch, in order, with the `nearest` visible patches.
    pub fn masked_patches(&self, mask: &Mask, nearest: usize) -> Vec<MaskedPatch> {
        let mut patches = Vec::with_capacity(self.guesses.len());
        for (row, patch) in mask.patches(true).enumerate() {
            let divergences = &self.divergences[row * self.choices.len()..][..self.choices.len()];
            patches.push(MaskedPatch {
                patch,
                teacher: self.choices[patch],
                teacher_probability: self.choice_probabilities[patch],
                student: self.guesses[row],
                student_probability: self.probabilities[row],
                rank: self.ranks[row],
                divergence: divergences[patch],
                nearest: nearest_visible(divergences, mask, nearest),
            });
        }
        patches
    }
}

fn nearest_visible(divergences: &[f32], mask: &Mask, k: usize) -> Vec<Neighbour> {
    let mut similarities: Vec<f32> = divergences.iter().map(|divergence| -divergence).collect();
    for patch in mask.patches(true) {
        // What is not a number is left out.
        similarities[patch] = f32::NAN;
    }
    best_patches(&similarities, mask.columns(), k, 0.0)
}
