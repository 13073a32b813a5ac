//! Objects that are followed through videos.

mod report;
mod sequence;
mod tracker;
mod view;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::Args;
use ibot_core::eval::video::Propagation;
use serde::{Deserialize, Serialize};

use self::report::{JF, curve, measures, table};
use self::sequence::{Sequence, SequenceScore};
pub use self::tracker::{FrameSource, TrackedFrame, Tracker, patch_side};
pub use self::view::FrameView;
use super::measures::Measures;
use super::task::{Curve, EvalTask, Subject, TaskOutput};
use crate::data::{Dataset, Videos};
use crate::features::{PassProgress, Readout};

const HELP: &str = "\
Examples:
  ibot eval video --data DAVIS/ --model vit_small.pth
  ibot eval video --data davis.tar --model vit_small.pth --sequence dog,camel --out-masks masks/ --beside untrained

Follows objects through videos by the patch tokens of frames alone: a patch takes the mean mask of the patches that are
most like it, in the first frame and the last few ones. --data is a folder or .tar of DAVIS 2016 or 2017 (JPEGImages/480p,
Annotations/480p, ImageSets), or of another set with a folder for each sequence in JPEGImages/ and Annotations/.
Prints J (overlap of regions) and F (agreement of boundaries) of each object, and their means. A sequence with a missing
frame or a mask that does not fit is named and left out. --out-masks writes PNG files as the data set has them.";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[command(after_help = HELP)]
#[serde(default, deny_unknown_fields)]
pub struct Video {
    /// List in ImageSets/ that names the sequences [default: val, or all if there is none]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Only these sequences, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sequence: Vec<String>,
    /// Shorter side of a frame in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = Video::SHORT_SIDE)]
    pub short_side: usize,
    /// Last frames that a frame looks at, beside the first
    #[arg(long, value_name = "N", default_value_t = Propagation::default().last_frames)]
    pub last_frames: usize,
    /// How far a similar patch may be, in patches along each axis; 0 for anywhere
    #[arg(long, value_name = "PATCHES", default_value_t = Propagation::default().radius)]
    pub radius: usize,
    /// Similar patches that a patch takes its mask from
    #[arg(long, value_name = "N", default_value_t = Propagation::default().neighbours)]
    pub neighbours: usize,
    /// Similar patches weigh exp(cosine / temperature)
    #[arg(long, value_name = "T", default_value_t = Propagation::default().temperature)]
    pub temperature: f32,
    /// Do as the official code what it does by mistake: divide red by 0.228 in place of 0.229, and
    /// lose objects that are smaller than a patch
    #[arg(long)]
    pub as_released: bool,
    /// Folder for the masks that were found, a folder for each sequence
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip)]
    pub out_masks: Option<PathBuf>,
}

impl Video {
    pub const SHORT_SIDE: usize = 480;
}

impl Default for Video {
    fn default() -> Self {
        let Propagation {
            last_frames,
            radius,
            neighbours,
            temperature,
        } = Propagation::default();
        Self {
            split: None,
            sequence: Vec::new(),
            short_side: Self::SHORT_SIDE,
            last_frames,
            radius,
            neighbours,
            temperature,
            as_released: false,
            out_masks: None,
        }
    }
}

impl EvalTask for Video {
    fn title(&self) -> &'static str {
        "Video objects"
    }

    fn name(&self) -> &'static str {
        "video"
    }

    fn paper(&self) -> &'static str {
        "table 16"
    }

    fn meaning(&self) -> &'static str {
        "It is high where patches of an object find each other again in later frames, so that its \
         mask in the first frame is enough to follow it."
    }

    fn suits(&self, data: &Dataset) -> bool {
        data.annotation::<Videos>().is_some()
    }

    fn open(&self, spec: &str) -> Result<Dataset> {
        match Dataset::open_videos(spec, self.split.as_deref())? {
            Some(data) => Ok(data),
            None => {
                // Says what is wrong if there is nothing at all.
                Dataset::open(spec)?;
                bail!(
                    "{spec} is no set of videos: give a folder or .tar with JPEGImages/ and Annotations/, and in both a folder for each sequence (DAVIS)"
                )
            }
        }
    }

    fn readouts(&self) -> Vec<Readout> {
        // Frames are shown at sizes of their own, which share no pass.
        Vec::new()
    }

    fn run(&self, subject: &Subject) -> Result<TaskOutput> {
        let data = subject.data;
        let Some(videos) = data.annotation::<Videos>() else {
            bail!("{} are no videos with masks (DAVIS)", data.description());
        };
        for wanted in &self.sequence {
            let mut known = videos.sequences.iter();
            ensure!(
                known.any(|sequence| sequence.name == *wanted),
                "there is no sequence {wanted} in {}",
                data.description()
            );
        }
        let is_wanted = |name: &String| self.sequence.is_empty() || self.sequence.contains(name);
        let mut sequences = Vec::new();
        let mut frames = 0;
        for sequence in &videos.sequences {
            if is_wanted(&sequence.name) {
                frames += sequence.frames.len();
                sequences.push(sequence);
            }
        }

        let features = subject.features;
        let patch = patch_side(features);
        let progress = PassProgress::new("frames", frames, features.shows_progress());
        let tracker = Tracker {
            features,
            view: FrameView::official(self.short_side, patch, self.as_released),
            propagation: self.propagation(),
            restores_lost: !self.as_released,
            progress: &progress,
        };
        let mut found: Vec<SequenceScore> = Vec::new();
        for sequence in sequences {
            let evaluated = Sequence {
                data,
                videos,
                sequence,
                out: self.out_masks.as_deref(),
            };
            match evaluated.evaluate(&tracker) {
                Ok(score) => found.push(score),
                Err(error) => {
                    progress.warn(&format!("{}: {error:#} (left out)", sequence.name));
                }
            }
        }
        drop(progress);

        let written = match &self.out_masks {
            Some(folder) => format!("; masks that were found are in {}", folder.display()),
            None => String::new(),
        };
        ensure!(!found.is_empty(), "no sequence could be judged{written}");
        let judged = found.iter().map(|sequence| sequence.frames).sum();
        Ok(TaskOutput {
            measures: measures(&found),
            images: vec![("frames", judged)],
            table: table(&found),
        })
    }

    fn curve(&self, measure: &str) -> Option<Curve> {
        curve(measure)
    }

    fn headline<'a>(&self, measures: &'a Measures) -> Option<&'a str> {
        measures.named(JF)
    }
}

impl Video {
    fn propagation(&self) -> Propagation {
        Propagation {
            last_frames: self.last_frames,
            radius: self.radius,
            neighbours: self.neighbours,
            temperature: self.temperature,
        }
    }
}
