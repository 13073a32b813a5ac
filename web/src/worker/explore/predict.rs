//! Masks, and what the student predicts behind them.

use ibot_core::analysis::predict::{MaskedPatch, PredictOptions, predict};
use ibot_core::model::Mask;
use ibot_core::pretrain::masking::MaskConfig;
use ibot_core::rng::{Purpose, stream};

use crate::worker::answer::Answer;
use crate::worker::problem::Problem;
use crate::worker::state::WorkerState;
use ibot_web::protocol::{DrawMask, Predict, Predicted, PredictedPatch};
use ibot_web::wire::Bytes;

impl Answer for DrawMask {
    async fn answer(self, worker: &mut WorkerState) -> Result<Bytes, Problem> {
        let grid = worker.slots.grid(self.slot)?;
        let config = MaskConfig {
            pred_ratio: vec![self.ratio.clamp(0.0, 1.0)],
            // Exactly this share; pre-training varies it.
            pred_ratio_var: vec![0.0],
            ..MaskConfig::default()
        };

        // The seed alone: the same number draws the same mask on any image of this grid.
        let rng = &mut stream(u64::from(self.seed), Purpose::Mask, 0, 0);
        let mask = config.draw((grid.rows(), grid.columns()), rng);
        let cells = mask.cells().iter().map(|hidden| u8::from(*hidden));
        Ok(Bytes(cells.collect()))
    }
}

impl Answer for Predict {
    async fn answer(self, worker: &mut WorkerState) -> Result<Predicted, Problem> {
        let model = worker.model()?;
        let tokenizer = model.tokenizer()?;
        let student = tokenizer.student.as_ref().ok_or(Problem::NoMaskToken)?;

        let grid = worker.slots.grid(self.slot)?;
        let image = worker.slots.image(self.slot)?;
        let cells = self.mask.0.iter().map(|cell| *cell == 1).collect();
        let mask = Mask::new(grid.rows(), grid.columns(), cells);

        let options = PredictOptions::default();
        let found = predict(
            student,
            &tokenizer.teacher,
            image,
            &mask,
            &options,
            &model.device,
        )
        .await?;
        Ok(Predicted {
            agreement: (found.student.top1, found.student.top5),
            baseline: (found.baseline.top1, found.baseline.top5),
            patches: found.patches.into_iter().map(message).collect(),
            prototypes: found.prototypes,
        })
    }
}

fn message(patch: MaskedPatch) -> PredictedPatch {
    let nearest = patch.nearest.into_iter().map(|found| found.patch);
    PredictedPatch {
        patch: patch.patch,
        teacher: patch.teacher,
        teacher_probability: patch.teacher_probability,
        student: patch.student,
        student_probability: patch.student_probability,
        nearest: nearest.collect(),
    }
}
