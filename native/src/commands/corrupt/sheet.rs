//! One image in all settings.

use std::path::Path;

use anyhow::Result;
use ibot_core::image::RgbImage;
use ibot_core::image::resize::resize;

use super::folder::Target;
use crate::data::{CorruptionOf, Dataset};
use crate::report::png::save_png;
use crate::report::sheet::{Panel, Sheet, SheetRow};

/// Longest side of an image in the picture of all corruptions, wide enough for their names.
const SHOWN: usize = 144;

/// One image in all settings, a row for each corruption.
pub fn draw_sheet(
    targets: &[Target],
    data: &Dataset,
    settings: &[CorruptionOf],
    out: &Path,
) -> Result<()> {
    let loaded = targets
        // The first that can be read: the sheet is an example, not a list.
        .iter()
        .find_map(|target| Some((target.index, data.load(target.index).ok()?)));
    let Some((index, image)) = loaded else {
        return Ok(());
    };

    let mut rows: Vec<SheetRow> = Vec::new();
    for (place, setting) in settings.iter().enumerate() {
        // An image may be too small for some corruptions.
        let Ok(corrupted) = setting.apply(&image, index) else {
            continue;
        };
        let is_first = place == 0 || settings[place - 1].kind != setting.kind;
        let title = if is_first {
            rows.push(SheetRow::default());
            setting.kind.name().replace('_', " ")
        } else {
            setting.severity.to_string()
        };
        if let Some(row) = rows.last_mut() {
            row.panels.push(Panel::new(title, vec![shown(&corrupted)]));
        }
    }
    let sheet = Sheet {
        title: "Corruptions".to_owned(),
        note: format!("{}, from weak to strong", data.name(index)),
        rows,
        ..Sheet::default()
    };
    save_png(&sheet.into_image(), &out.join("corruptions.png"))?;
    Ok(())
}

fn shown(image: &RgbImage) -> RgbImage {
    let scale = SHOWN as f64 / image.width().max(image.height()) as f64;
    let side = |length: usize| (length as f64 * scale).round() as usize;
    resize(image, side(image.width()), side(image.height()))
}
