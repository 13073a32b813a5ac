//! The evaluation of one sequence.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use ibot_core::annotation::labels::LabelMap;
use ibot_core::eval::video::{ObjectNumbers, ObjectScore, SequenceScorer};

use super::tracker::{FrameSource, TrackedFrame, Tracker};
use crate::data::{Dataset, VideoSequence, Videos, check_mask_size, encode_mask};
use crate::files::write_atomically;

/// A sequence of a data set, and where its masks go.
pub struct Sequence<'a> {
    pub data: &'a Dataset,
    pub videos: &'a Videos,
    pub sequence: &'a VideoSequence,
    /// Folder of the masks of all sequences.
    pub out: Option<&'a Path>,
}

/// What was found in a sequence.
pub struct SequenceScore {
    pub name: String,
    /// Of each object.
    pub objects: Vec<ObjectScore>,
    /// Objects that are too small for any patch.
    pub lost: Vec<usize>,
    pub frames: usize,
}

impl Sequence<'_> {
    /// Follows the objects and judges all frames but the first and the last, as the reference does.
    /// Masks are written even if a frame cannot be judged.
    ///
    /// # Errors
    /// If a frame or mask is missing, cannot be read or has a wrong size, or a mask cannot be
    /// written.
    pub fn evaluate(&self, tracker: &Tracker) -> Result<SequenceScore> {
        let count = self.sequence.frames.len();
        ensure!(
            count > 0,
            "it has no frames; see its name and its folder in JPEGImages/"
        );
        let is_judged = count > 2;
        ensure!(
            is_judged || self.out.is_some(),
            "it has {count} of at least 3 frames: the first and the last are not judged"
        );

        let first = self.mask(0)?;
        let start = self.sequence.frames.start;
        let load = |frame: usize| Ok(Some(self.data.load(start + frame)?));
        let image = self.data.load(start)?;
        let path = || {
            self.videos
                .mask_path(self.sequence, 0)
                .display()
                .to_string()
        };
        check_mask_size(&first, image.width(), image.height()).with_context(path)?;
        let objects = ObjectNumbers::of(&first).with_context(path)?;
        let first = objects.read(&first);
        if let Some(out) = self.out {
            let folder = out.join(&self.sequence.name);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }

        let mut scorer = SequenceScorer::new(objects.count());
        let mut problem = None;
        let frames = FrameSource { count, load: &load };
        let lost = tracker.follow(&frames, &first, objects, &mut |found| {
            self.write(&found)?;
            if (1..count - 1).contains(&found.frame) && problem.is_none() {
                match self.judge(&found, objects, &mut scorer) {
                    // What cannot be judged still has masks to write.
                    Err(error) if self.out.is_some() => problem = Some(error),
                    judged => judged?,
                }
            }
            Ok(())
        })?;

        if let Some(problem) = problem {
            return Err(problem.context("masks are written, but not judged"));
        }
        let Some(scores) = scorer.scores() else {
            bail!("masks are written, but {count} frames are too few to be judged");
        };
        Ok(SequenceScore {
            name: self.sequence.name.clone(),
            objects: scores,
            lost,
            frames: count,
        })
    }

    fn judge(
        &self,
        found: &TrackedFrame,
        objects: ObjectNumbers,
        scorer: &mut SequenceScorer,
    ) -> Result<()> {
        let truth = objects.read(&self.mask(found.frame)?);
        let path = || self.videos.mask_path(self.sequence, found.frame);
        scorer
            .add(&truth, &found.labels)
            .with_context(|| path().display().to_string())
    }

    fn mask(&self, frame: usize) -> Result<LabelMap> {
        let mask = self.videos.mask(self.sequence, frame)?;
        mask.with_context(|| {
            let path = self.videos.mask_path(self.sequence, frame);
            format!("there is no mask {}", path.display())
        })
    }

    fn write(&self, found: &TrackedFrame) -> Result<()> {
        let Some(out) = self.out else {
            return Ok(());
        };
        let stem = self.sequence.frame_stem(found.frame);
        let file = out.join(&self.sequence.name).join(format!("{stem}.png"));
        let bytes = encode_mask(&found.labels)?;
        write_atomically(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))
    }
}
