//! The model: a backbone, and student and teacher with their heads where the file has them.

use burn::tensor::Device;
use ibot_core::model::{Backbone, Network};
use ibot_core::weights::{Checkpoint, FileError, LoadError, ModelHeader};

use super::problem::Problem;
use ibot_web::protocol::{Load, ModelInfo};

pub struct LoadedModel {
    /// The header of a file with this backbone alone.
    pub header: ModelHeader,
    /// It encodes images: the teacher's, if there is a teacher.
    pub backbone: Backbone,
    tokenizer: Option<Tokenizer>,
    pub device: Device,
}

/// The networks of the online tokenizer.
pub struct Tokenizer {
    /// It assigns prototypes to patches.
    pub teacher: Network,
    /// It predicts prototypes of masked patches; `None` without a mask token.
    pub student: Option<Network>,
}

impl LoadedModel {
    pub fn tokenizer(&self) -> Result<&Tokenizer, Problem> {
        self.tokenizer.as_ref().ok_or(Problem::NoHead)
    }

    /// The shorter side of images that it learns from, in pixels.
    pub fn image_size(&self) -> usize {
        self.header.backbone.image_size()
    }
}

pub fn load(question: &Load, device: &Device) -> Result<(LoadedModel, ModelInfo), Problem> {
    let name = &question.name;
    let bytes = &question.bytes.0;
    let checkpoint = Checkpoint::read(bytes, None).map_err(|source| not_read(name, source))?;
    let config = checkpoint
        .config(None)
        .map_err(|source| does_not_fit(name, source))?;

    // Loaded for its report, which leaves the head out.
    let plain = config.clone().with_mask_token(false);
    let (backbone, report) = checkpoint
        .backbone(&plain, false, device)
        .map_err(|source| does_not_fit(name, source))?;

    let (backbone, tokenizer) = if checkpoint.head().is_ok() {
        // The teacher brings the same backbone.
        drop(backbone);
        let tokenizer = load_tokenizer(&checkpoint, bytes, device)
            .map_err(|source| does_not_fit(name, source))?;
        let backbone = tokenizer.teacher.backbone.clone().without_mask_token();
        (backbone, Some(tokenizer))
    } else {
        (backbone, None)
    };

    let head = tokenizer.as_ref().map(|tokenizer| &tokenizer.teacher.head);
    let student = tokenizer.as_ref().and_then(|pair| pair.student.as_ref());
    let info = ModelInfo {
        name: name.clone(),
        network: report.network.clone(),
        report: report.to_string(),
        patch: config.stride(),
        depth: config.depth(),
        heads: config.heads(),
        image_size: config.image_size(),
        prototypes: head.map(|head| head.patch_prototypes()),
        predicts: student.is_some(),
    };
    let model = LoadedModel {
        header: checkpoint.header_for(plain),
        backbone,
        tokenizer,
        device: device.clone(),
    };
    Ok((model, info))
}

fn load_tokenizer(
    checkpoint: &Checkpoint,
    bytes: &[u8],
    device: &Device,
) -> Result<Tokenizer, LoadError> {
    let config = checkpoint.config(None)?;
    let (teacher, _) = checkpoint.network(&config, false, device)?;

    let other = Checkpoint::read(bytes, Some("student")).ok();
    let student = match other.filter(|other| other.section != checkpoint.section) {
        Some(other) => other.network(&other.config(None)?, false, device)?.0,
        // In a file of one network, that one both assigns and predicts.
        None => teacher.clone(),
    };
    // Without the token it cannot be shown what to predict.
    let student = student.backbone.has_mask_token().then_some(student);
    Ok(Tokenizer { teacher, student })
}

pub fn not_read(name: &str, source: FileError) -> Problem {
    let name = name.to_owned();
    Problem::File { name, source }
}

pub fn does_not_fit(name: &str, source: LoadError) -> Problem {
    let name = name.to_owned();
    Problem::Load { name, source }
}
