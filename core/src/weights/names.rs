//! One name for one parameter, whichever code base wrote the file: iBOT and DINO, timm, DINOv2,
//! torchvision's Swin.

use super::weight::Weights;

/// Prefixes that wrappers put before a network's own names.
const WRAPPERS: [&str; 4] = [
    "module.",
    "_orig_mod.",
    "backbone.",
    "_fsdp_wrapped_module.",
];

/// Tensors under our names: the backbone's as timm has them, `masked_embed` as iBOT does, the
/// head's behind `head.`.
pub(super) fn canonical(weights: Weights) -> Weights {
    let mut weights: Weights = weights
        .into_iter()
        .map(|(name, weight)| (canonical_name(&name), weight))
        .collect();
    weights = ending_with_merging(weights);

    // iBOT's token is [1, D], that of other code bases [1, 1, D].
    if let Some(token) = weights.get_mut("masked_embed")
        && let [1, 1, dim] = token.shape[..]
    {
        token.shape = vec![1, dim];
    }
    // timm's networks with registers give CLS no position of its own: that is one of zeros.
    // With a CLS position the number would be a square plus one.
    if let Some(positions) = weights.get_mut("pos_embed")
        && let [1, count, dim] = positions.shape[..]
        && count > 1
        && is_square(count)
    {
        positions.values.splice(0..0, vec![0.0; dim]);
        positions.shape[1] += 1;
    }
    weights
}

/// Whether a tensor is a table that code bases compute from a network's dimensions and some store
/// beside its weights: integers, which no network here reads.
pub(super) fn is_computed(name: &str) -> bool {
    name.ends_with(".relative_position_index")
}

/// The names of a Swin in the official order of its parts, where each stage ends with the merging of
/// patches. In timm since 0.9 a stage begins with that of the stage before.
fn ending_with_merging(weights: Weights) -> Weights {
    let merges = |name: &str, first: bool| match name.strip_prefix("layers.") {
        Some(rest) => rest.contains(".downsample.") && rest.starts_with("0.") == first,
        None => false,
    };
    // In the official order the first stage has one, too.
    let begins = weights.keys().any(|name| merges(name, false))
        && !weights.keys().any(|name| merges(name, true));
    if !begins {
        return weights;
    }

    let moved = |name: String| {
        let parts: Vec<&str> = name.splitn(3, '.').collect();
        match parts[..] {
            ["layers", stage, rest] if rest.starts_with("downsample.") => match stage.parse() {
                Ok(stage @ 1usize..) => format!("layers.{}.{rest}", stage - 1),
                _ => name,
            },
            _ => name,
        }
    };
    weights
        .into_iter()
        .map(|(name, weight)| (moved(name), weight))
        .collect()
}

/// The official name of a tensor of torchvision's Swin, whose parts have numbers: patch embedding, a
/// stage, merging, a stage, and so on.
fn from_torchvision(name: &str) -> Option<String> {
    let (part, rest) = name.strip_prefix("features.")?.split_once('.')?;
    let part: usize = part.parse().ok()?;
    if part == 0 {
        let (layer, rest) = rest.split_once('.')?;
        let layer = match layer {
            "0" => "proj",
            "2" => "norm",
            _ => return None,
        };
        return Some(format!("patch_embed.{layer}.{rest}"));
    }

    let stage = (part - 1) / 2;
    if part.is_multiple_of(2) {
        return Some(format!("layers.{stage}.downsample.{rest}"));
    }
    let rest = rest
        .replace(".mlp.0.", ".mlp.fc1.")
        .replace(".mlp.3.", ".mlp.fc2.");
    Some(format!("layers.{stage}.blocks.{rest}"))
}

fn canonical_name(name: &str) -> String {
    let mut rest = name;
    // In any order and number: a compiled network may be wrapped for several processes.
    while let Some(inner) = WRAPPERS
        .iter()
        .find_map(|wrapper| rest.strip_prefix(wrapper))
    {
        rest = inner;
    }
    if let Some(name) = from_torchvision(rest) {
        return name;
    }

    let rest = rest
        .strip_prefix("dino_head.")
        .map_or_else(|| rest.to_owned(), |head| format!("head.{head}"));
    match rest.as_str() {
        "mask_token" => return "masked_embed".to_owned(),
        "register_tokens" => return "reg_token".to_owned(),
        _ => {}
    }

    // The order matters for none of these: each stands for one spelling of one part.
    let rest = rest
        .replace(".mlp.w12.", ".mlp.fc1.")
        .replace(".mlp.w3.", ".mlp.fc2.")
        .replace(".parametrizations.weight.original0", ".weight_g")
        .replace(".parametrizations.weight.original1", ".weight_v");

    // DINOv2 trains its blocks in chunks: `blocks.0.11.norm1.weight` is block 11.
    let parts: Vec<&str> = rest.split('.').collect();
    match parts[..] {
        ["blocks", chunk, block, ..] if is_number(chunk) && is_number(block) => {
            format!("blocks.{}", parts[2..].join("."))
        }
        _ => rest,
    }
}

fn is_square(count: usize) -> bool {
    count.isqrt().pow(2) == count
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;
    use crate::weights::Weight;

    #[test]
    fn every_spelling_has_one_name() {
        for (theirs, ours) in [
            (
                "module.backbone.blocks.3.attn.qkv.weight",
                "blocks.3.attn.qkv.weight",
            ),
            ("backbone.blocks.0.11.ls1.gamma", "blocks.11.ls1.gamma"),
            ("blocks.2.mlp.w12.bias", "blocks.2.mlp.fc1.bias"),
            ("blocks.2.mlp.w3.weight", "blocks.2.mlp.fc2.weight"),
            ("mask_token", "masked_embed"),
            ("register_tokens", "reg_token"),
            (
                "module.head.last_layer.parametrizations.weight.original1",
                "head.last_layer.weight_v",
            ),
            ("dino_head.mlp.0.weight", "head.mlp.0.weight"),
            ("norm.weight", "norm.weight"),
            ("features.0.0.weight", "patch_embed.proj.weight"),
            ("features.0.2.bias", "patch_embed.norm.bias"),
            (
                "features.5.3.attn.relative_position_bias_table",
                "layers.2.blocks.3.attn.relative_position_bias_table",
            ),
            (
                "features.1.0.mlp.3.weight",
                "layers.0.blocks.0.mlp.fc2.weight",
            ),
            (
                "features.4.reduction.weight",
                "layers.1.downsample.reduction.weight",
            ),
        ] {
            assert_eq!(canonical_name(theirs), ours);
        }
    }

    #[test]
    fn merging_ends_a_stage() {
        let names = |stages: [usize; 3]| -> Vec<String> {
            let weight = Weight {
                shape: vec![1],
                values: vec![0.0],
            };
            let named = stages.map(|stage| {
                let name = format!("layers.{stage}.downsample.reduction.weight");
                (name, weight.clone())
            });
            let mut names: Vec<String> = canonical(Weights::from(named)).into_keys().collect();
            names.sort_unstable();
            names
        };
        let official = names([0, 1, 2]);
        assert_eq!(official[0], "layers.0.downsample.reduction.weight");
        assert_eq!(names([1, 2, 3]), official);
    }

    #[test]
    fn positions_without_cls_get_a_row_of_zeros() {
        let weight = |count: usize| Weight {
            shape: vec![1, count, 2],
            values: vec![1.0; 2 * count],
        };
        let without = canonical(Weights::from([("pos_embed".to_owned(), weight(9))]));
        assert_eq!(without["pos_embed"].shape, [1, 10, 2]);
        assert_eq!(without["pos_embed"].values[..4], [0.0, 0.0, 1.0, 1.0]);
        let with = canonical(Weights::from([("pos_embed".to_owned(), weight(10))]));
        assert_eq!(with["pos_embed"], weight(10));
    }
}
