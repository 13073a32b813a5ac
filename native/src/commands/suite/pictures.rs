//! The pictures of a suite's report: what `ibot show` draws, of a few images.

use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;
use ibot_core::analysis::attention::MASS;
use ibot_core::analysis::foreground::joint_colors;
use ibot_core::features::TokenGrid;
use ibot_core::features::encode::ImageTokens;
use ibot_core::image::RgbImage;

use crate::commands::show::tokens::ImageEncoder;
use crate::commands::show::{attention, pca, similar};
use crate::data::Dataset;
use crate::model::LoadedBackbone;
use crate::report::document::ReportPicture;
use crate::report::png::png_bytes;

const IMAGES: usize = 4;
const ATTENDED: usize = 2;

struct Seen {
    names: Vec<String>,
    images: Vec<RgbImage>,
    tokens: Vec<ImageTokens>,
    grids: Vec<TokenGrid>,
}

/// Draws attention, principal components and similarity of a few images of `data`. What cannot be
/// drawn is added to `problems`.
pub fn pictures(
    model: &LoadedBackbone,
    device: &Device,
    data: &Dataset,
    problems: &mut Vec<String>,
) -> Vec<ReportPicture> {
    let seen = match see(model, device, data) {
        Ok(seen) => seen,
        Err(error) => {
            problems.push(format!("no pictures: {error:#}"));
            return Vec::new();
        }
    };

    let mut pictures = Vec::new();
    let mut drawn: Vec<(String, Result<RgbImage>)> = Vec::new();
    for index in 0..ATTENDED.min(seen.images.len()) {
        // A backbone without CLS token has no attention to draw.
        if let Some(map) = &seen.tokens[index].attention {
            let caption = format!(
                "Where the CLS token looks in {}, head by head (ibot show attention).",
                seen.names[index]
            );
            let sheet = attention::sheet(&seen.images[index], map, MASS);
            drawn.push((caption, sheet));
        }
    }
    drawn.push((
        "Patches in colors: like colors mean like features (ibot show pca).".to_owned(),
        components(&seen),
    ));
    drawn.push((
        "Patches like the one marked, in the same image and in others (ibot show similar)."
            .to_owned(),
        similarity(&seen),
    ));

    for (caption, picture) in drawn {
        let png = picture.and_then(|picture| Ok(png_bytes(&picture)?));
        match png {
            Ok(png) => pictures.push(ReportPicture { caption, png }),
            Err(error) => problems.push(format!("no picture \"{caption}\": {error:#}")),
        }
    }
    pictures
}

fn see(model: &LoadedBackbone, device: &Device, data: &Dataset) -> Result<Seen> {
    let side = model.config.image_size();
    // As `ibot show` draws, so that the captions' commands give the same pictures.
    let encoder = ImageEncoder::usual(model.backbone.clone(), side, device.clone());
    let mut seen = Seen {
        names: Vec::new(),
        images: Vec::new(),
        tokens: Vec::new(),
        grids: Vec::new(),
    };
    for index in data.subset(IMAGES, 0) {
        // The evaluations have named images that cannot be read.
        let Ok(image) = data.load(index) else {
            continue;
        };
        let tokens = encoder.encode(&image)?;
        seen.names.push(data.name(index).into_owned());
        seen.grids.push(tokens.patches.clone());
        seen.tokens.push(tokens);
        seen.images.push(image);
    }
    ensure!(!seen.images.is_empty(), "no image could be read");
    Ok(seen)
}

fn components(seen: &Seen) -> Result<RgbImage> {
    let (colors, _) = joint_colors(&seen.grids).context("PCA")?;
    let shown = pca::ColoredImages {
        images: &seen.images,
        grids: &seen.grids,
        colors: &colors,
        only_foreground: false,
    };
    shown.draw(IMAGES)
}

/// The patch that matters most in the first image, and those like it.
fn similarity(seen: &Seen) -> Result<RgbImage> {
    let salience = seen.tokens[0].salience();
    let order = |a: &usize, b: &usize| salience[*a].total_cmp(&salience[*b]);
    let patch = (0..salience.len()).max_by(order).context("no patch")?;
    let token = seen.grids[0].token(patch);

    let mut found = Vec::new();
    for grid in &seen.grids[1..] {
        found.push(similar::find(token, grid.clone())?);
    }
    let query = similar::QueryImage {
        image: &seen.images[0],
        patches: &seen.grids[0],
        patch,
    };
    similar::draw(&query, &seen.names[1..], &seen.images[1..], &found)
}
