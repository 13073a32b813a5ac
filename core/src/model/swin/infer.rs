//! The Swin transformer in a file, from the shapes of its tensors.

use super::config::SwinConfig;
use crate::model::pos_embed::{Sampling, resample};
use crate::weights::{InferError, Resized, Weight, Weights, needed};

/// Side of the images that every released Swin of iBOT is made for.
const IMAGE_SIZE: usize = 224;

// Stages beyond this would have tokens wider than any network's.
const MAX_STAGES: usize = 8;

const TABLE: &str = "attn.relative_position_bias_table";

/// Whether the tensors are those of a Swin.
pub(in crate::model) fn is_swin(weights: &Weights) -> bool {
    weights.contains_key(&name(0, 0, TABLE))
}

fn name(stage: usize, block: usize, tensor: &str) -> String {
    format!("layers.{stage}.blocks.{block}.{tensor}")
}

/// The backbone behind tensors of our names, whose shapes tell everything but the size of the images
/// that it is made for: where no stage has smaller windows than the first, this is 224 pixels, or
/// more if 224 pixels would have too few tokens for a window.
pub(in crate::model) fn infer(weights: &Weights) -> Result<SwinConfig, InferError> {
    let kernel = needed(weights, "patch_embed.proj.weight")?;
    let &[dim, 3, patch_size, width] = &kernel.shape[..] else {
        let expected = "[C, 3, patch, patch]";
        return Err(InferError::shape(
            "patch_embed.proj.weight",
            kernel,
            expected,
        ));
    };
    if dim == 0 || patch_size == 0 || patch_size != width {
        let expected = "patches of a square";
        return Err(InferError::shape(
            "patch_embed.proj.weight",
            kernel,
            expected,
        ));
    }

    let mut depths = Vec::new();
    let mut heads = Vec::new();
    let mut windows = Vec::new();
    for stage in 0..MAX_STAGES {
        if !weights.contains_key(&name(stage, 0, TABLE)) {
            break;
        }
        let (own, window) = bias_table(weights, stage)?;
        // Sizes from a file may be anything: what overflows fits no tensor.
        let width = dim.saturating_mul(1 << stage);
        if own == 0 || !width.is_multiple_of(own) {
            return Err(InferError::Heads { dim: width });
        }
        depths.push(depth(weights, stage, width)?);
        heads.push(own);
        windows.push(window);
    }

    // There is a first stage, by whose table a Swin is known.
    let last = windows.len() - 1;
    let stride = patch_size.saturating_mul(1 << last);
    let window = windows[0];
    let image_size = match windows.iter().position(|own| *own < window) {
        // A stage with smaller windows has no room for larger ones: its grid is as large as they
        // are.
        Some(stage) => windows[stage] * (patch_size << stage),
        None => IMAGE_SIZE.max(window.saturating_mul(stride)),
    };

    let hidden = name(0, 0, "mlp.fc1.weight");
    let hidden = needed(weights, &hidden)?;
    Ok(SwinConfig {
        image_size,
        patch_size,
        dim,
        depths,
        heads,
        window,
        mlp_ratio: hidden.shape.first().map_or(0, |hidden| hidden / dim),
        drop_path: 0.0,
        mask_token: weights.contains_key("masked_embed"),
    })
}

/// Heads of a stage and side of its windows, from its first bias table `[(2 w - 1)², heads]`.
fn bias_table(weights: &Weights, stage: usize) -> Result<(usize, usize), InferError> {
    let name = name(stage, 0, TABLE);
    let table = needed(weights, &name)?;
    if let &[offsets, heads] = &table.shape[..] {
        let side = offsets.isqrt();
        if side * side == offsets && side % 2 == 1 {
            return Ok((heads, side.div_ceil(2)));
        }
    }
    let expected = "[(2 window - 1)², heads]";
    Err(InferError::shape(&name, table, expected))
}

/// Blocks of a stage without a gap from the first. Each must have the width of the stage, so that a
/// network is never larger than its file suggests.
fn depth(weights: &Weights, stage: usize, width: usize) -> Result<usize, InferError> {
    let mut depth = 0;
    loop {
        let name = name(stage, depth, "attn.qkv.weight");
        let Some(qkv) = weights.get(&name) else {
            break;
        };
        if qkv.shape != [3 * width, width] {
            let expected = format!("a stage of width {width}");
            return Err(InferError::shape(&name, qkv, &expected));
        }
        depth += 1;
    }

    // No block at all: the error names the first.
    if depth == 0 {
        needed(weights, &name(stage, 0, "attn.qkv.weight"))?;
    }
    Ok(depth)
}

/// The bias tables of a file for the windows of `config`, if the file has others: a table is a grid
/// of offsets, which is interpolated bicubically.
pub(in crate::model) fn resize(config: &SwinConfig, weights: &Weights) -> Option<Resized> {
    let mut resized = Vec::new();
    let mut sides = None;
    for (stage, depth) in config.depths.iter().enumerate() {
        let to = 2 * config.window_at(stage) - 1;
        for block in 0..*depth {
            let name = name(stage, block, TABLE);
            let Some(table) = weights.get(&name) else {
                continue;
            };
            if let Some((from, weight)) = resized_table(table, to) {
                sides.get_or_insert((from, to));
                resized.push((name, weight));
            }
        }
    }

    let (from, to) = sides?;
    Some(Resized {
        what: "bias tables of windows",
        weights: resized,
        from,
        to,
    })
}

/// The table `[to², heads]` and the side of that of the file; `None` if they are alike, or the file's
/// is no square.
fn resized_table(table: &Weight, to: usize) -> Option<(usize, Weight)> {
    let &[offsets, heads] = &table.shape[..] else {
        return None;
    };
    let from = offsets.isqrt();
    if from == to || from * from != offsets || table.values.len() != offsets * heads {
        return None;
    }

    let sampling = Sampling {
        offset: 0.0,
        antialias: false,
    };
    let values = resample(&table.values, heads, (from, from), (to, to), sampling);
    let shape = vec![to * to, heads];
    Some((from, Weight { shape, values }))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use futures_lite::future::block_on;

    use super::*;
    use crate::model::{Arch, Backbone, BackboneConfig, ModelConfig, init};
    use crate::rng::{Purpose, stream};
    use crate::testing::{max_difference, test};
    use crate::weights::{Checkpoint, StoredPrecision, read, to_safetensors};

    fn config(window_size: usize, image_size: usize) -> SwinConfig {
        let model = ModelConfig {
            arch: Arch::SwinTiny,
            dim: Some(4),
            depths: Some(vec![1, 2, 1, 2]),
            num_heads: Some(vec![1, 2, 2, 4]),
            window_size,
            mlp_ratio: 2,
            drop_path: 0.0,
            ..ModelConfig::default()
        };
        model.swin(image_size, false)
    }

    #[test]
    fn a_file_without_header_tells_the_network() {
        let device = Device::flex();
        // Windows of 14 are clipped to 7 in the last stage; those of 12 need larger images.
        for (window, image_size) in [(7, 224), (14, 224), (12, 384), (7, 128)] {
            let config = BackboneConfig::from(config(window, image_size));
            let backbone = config.init(&device, &mut stream(1, Purpose::Init, 0, 0));
            let weights = block_on(read(&backbone)).expect("flex");
            let bytes = to_safetensors(&weights, Default::default(), StoredPrecision::F32);
            let checkpoint = Checkpoint::read(&bytes.expect("sound weights"), None);
            let checkpoint = checkpoint.expect("its own bytes");
            let inferred = checkpoint.config(None).expect("a Swin");
            assert_eq!(inferred, config);

            let (again, report) = checkpoint
                .backbone(&inferred, false, &device)
                .expect("a whole network");
            assert!(report.unused.is_empty(), "{report}");
            let images = init::uniform(
                [1, 3, 64, 64],
                1.0,
                &device,
                &mut stream(2, Purpose::Init, 0, 0),
            );
            let cls = |backbone: &Backbone| backbone.forward(images.val(), &[], &mut None).cls;
            assert_eq!(max_difference(&cls(&again), &cls(&backbone)), 0.0);
        }
    }

    #[test]
    fn tables_of_other_windows_are_interpolated() {
        let device = Device::flex();
        let own = BackboneConfig::from(config(7, 224));
        let backbone = own.init(&device, &mut stream(1, Purpose::Init, 0, 0));
        let mut weights = block_on(read(&backbone)).expect("flex");
        // A bias that grows with the vertical offset, row by row of the table.
        let name = "layers.1.blocks.1.attn.relative_position_bias_table";
        let table = weights.get_mut(name).expect("a table");
        for (place, value) in table.values.iter_mut().enumerate() {
            *value = (place / 2 / 13) as f32 - 6.0;
        }

        let SwinConfig { depths, .. } = config(14, 224);
        let resized = resize(&config(14, 224), &weights).expect("other windows");
        // The last stage has windows of 7 in both networks.
        let count: usize = depths[..3].iter().sum();
        assert_eq!(
            (resized.from, resized.to, resized.weights.len()),
            (13, 27, count)
        );
        let (_, table) = resized
            .weights
            .iter()
            .find(|(own, _)| own == name)
            .expect("the same table");
        assert_eq!(table.shape, [27 * 27, 2]);
        // Inside, where no edge is repeated, a line stays nearly a line (this bicubic kernel bends it):
        // 13 offsets become 27.
        for row in 6..21 {
            let expected = (row as f32 + 0.5) * 13.0 / 27.0 - 0.5 - 6.0;
            let actual = table.values[row * 27 * 2 + 5];
            assert!((actual - expected).abs() < 0.05, "{actual} {expected}");
        }
        assert!(resize(&config(7, 224), &weights).is_none());
    }

    #[test]
    fn a_block_of_another_width_is_named() {
        let backbone = BackboneConfig::from(config(7, 224));
        let backbone = backbone.init(&Device::flex(), &mut stream(1, Purpose::Init, 0, 0));
        let mut weights = block_on(read(&backbone)).expect("flex");
        let name = "layers.1.blocks.1.attn.qkv.weight";
        weights.get_mut(name).expect("a block").shape = vec![1, 192];
        let error = infer(&weights).expect_err("a wrong width").to_string();
        assert!(error.contains(name), "{error}");
    }
}
