//! One name for one parameter, whichever code base wrote the file: iBOT and DINO, timm, DINOv2.

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

fn canonical_name(name: &str) -> String {
    let mut rest = name;
    while let Some(inner) = WRAPPERS
        .iter()
        .find_map(|wrapper| rest.strip_prefix(wrapper))
    {
        rest = inner;
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
        ] {
            assert_eq!(canonical_name(theirs), ours);
        }
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
