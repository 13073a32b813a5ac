"""Loads a backbone that `ibot export --to safetensors` wrote into timm's VisionTransformer, strictly, and runs it.

    python check_timm.py MODEL.safetensors --expected OUT.safetensors   compare, exit status 1 above the tolerance
    python check_timm.py MODEL.safetensors --write OUT.safetensors      write what timm computes

OUT holds `tokens` [B, 1 + registers + N, D], float32: all tokens after the final norm, in the order CLS, registers,
patches. It may hold the `image` [B, 3, H, W] they belong to; without one, element i (row-major) of a batch of two
images of the model's size is sin(i), computed in float64 and rounded to float32.
"""

import argparse
import json
import math
import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer

TOLERANCE = 1e-4
# What a backbone file may hold that timm's backbone has no place for: iBOT's head and the mask token.
NOT_TIMM = ("head.", "masked_embed", "mask_token")


def read(path):
    """The tensors of timm's backbone in float32, and the header's description of the network."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if "ibot" not in metadata:
        sys.exit(f"{path}: no `ibot` entry in the header")
    weights = {k: v.float() for k, v in load_file(path).items() if not k.startswith(NOT_TIMM)}
    return weights, json.loads(metadata["ibot"])["vit"]


def build(vit, weights):
    """timm's network of the dimensions in `vit`. `hidden` is the width that enters the MLP's last layer."""
    dim, registers, swiglu = vit["dim"], vit["registers"], vit["ffn"] == "swiglu"
    hidden = vit["hidden"]
    patches = (vit["image_size"] // vit["patch_size"]) ** 2
    # timm has position embeddings for all tokens or for patches alone; the file decides which.
    embeds_prefix = weights["pos_embed"].shape[1] != patches
    gated = dict(mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU) if swiglu else {}
    return VisionTransformer(
        img_size=vit["image_size"],
        patch_size=vit["patch_size"],
        embed_dim=dim,
        depth=vit["depth"],
        num_heads=vit["heads"],
        # timm takes int(dim * ratio), for SwiGLU of both halves together; the half keeps rounding off the edge.
        mlp_ratio=((2 if swiglu else 1) * hidden + 0.5) / dim,
        init_values=None if vit["layerscale"] is None else 1e-5,
        reg_tokens=registers,
        no_embed_class=not embeds_prefix,
        num_classes=0,
        global_pool="",
        **gated,
    ).eval()


def sine_image(size):
    values = np.sin(np.arange(2 * 3 * size * size, dtype=np.float64)).astype(np.float32)
    return torch.from_numpy(values).reshape(2, 3, size, size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--expected", metavar="OUT.safetensors")
    what.add_argument("--write", metavar="OUT.safetensors")
    args = parser.parse_args()

    weights, vit = read(args.model)
    model = build(vit, weights)
    model.load_state_dict(weights, strict=True)
    expected = load_file(args.expected) if args.expected else {}
    image = expected.get("image", sine_image(vit["image_size"])).float()
    with torch.no_grad():
        tokens = model(image)
    print(f"{len(weights)} tensors loaded strictly; tokens {list(tokens.shape)}")
    if args.write:
        shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
        save_file({"tokens": tokens.contiguous()}, args.write, {"shapes": json.dumps(shapes)})
        return
    if tokens.shape != expected["tokens"].shape:
        sys.exit(f"timm has tokens {list(tokens.shape)}, {args.expected} {list(expected['tokens'].shape)}")
    difference = (tokens - expected["tokens"].float()).abs().max().item()
    print(f"largest difference {difference:.3e} (tolerance {TOLERANCE:.0e}, largest token {tokens.abs().max():.2f})")
    # Written so that NaN fails too.
    if not (math.isfinite(difference) and difference <= TOLERANCE):
        sys.exit(1)


if __name__ == "__main__":
    main()
