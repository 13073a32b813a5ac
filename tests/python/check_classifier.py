"""Loads a classifier that `ibot export --head FILE --to safetensors` wrote into timm's network, strictly, and runs it.

    python check_classifier.py MODEL.safetensors --expected OUT.safetensors [--onnx MODEL.onnx]   compare
    python check_classifier.py MODEL.safetensors --write OUT.safetensors [--onnx MODEL.onnx]      write what timm computes

OUT holds `logits` [2, K], float32. Element i (row-major) of the batch of two images of the model's size is sin(i),
computed in float64 and rounded to float32. Its metadata have the names and shapes that timm asked for and, with --onnx,
the SHA-256 of that model, whose logits must be timm's. Exit status 1 if any value differs by more than the tolerance.
"""

import argparse
import hashlib
import json
import math
import sys

import numpy as np
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from timm.layers import SwiGLUPacked

TOLERANCE = 1e-4


def read(path):
    """The tensors in float32, and what the header says of the network and of the head."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    for key in ("ibot", "ibot.head"):
        if key not in metadata:
            sys.exit(f"{path}: no `{key}` entry in the header")
    weights = {k: v.float() for k, v in load_file(path).items()}
    return weights, json.loads(metadata["ibot"])["vit"], json.loads(metadata["ibot.head"])


def build(vit, head, weights):
    """timm's network of the dimensions in `vit`, with the classifier that `head` describes."""
    pool = {(1, False): dict(global_pool="token"), (0, True): dict(global_pool="avg", fc_norm=False)}
    reads = (head["cls_blocks"], head["patch_mean"])
    if reads not in pool:
        sys.exit(f"timm has no head that reads {reads[0]} CLS tokens, mean patch {reads[1]}")
    dim, swiglu = vit["dim"], vit["ffn"] == "swiglu"
    patches = (vit["image_size"] // vit["patch_size"]) ** 2
    gated = dict(mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU) if swiglu else {}
    return timm.create_model(
        "vit_small_patch16_224",
        pretrained=False,
        num_classes=len(head["classes"]) or weights["head.bias"].shape[0],
        img_size=vit["image_size"],
        patch_size=vit["patch_size"],
        embed_dim=dim,
        depth=vit["depth"],
        num_heads=vit["heads"],
        # timm takes int(dim * ratio), for SwiGLU of both halves together; the half keeps rounding off the edge.
        mlp_ratio=((2 if swiglu else 1) * vit["hidden"] + 0.5) / dim,
        init_values=None if vit["layerscale"] is None else 1e-5,
        reg_tokens=vit["registers"],
        no_embed_class=weights["pos_embed"].shape[1] == patches,
        **pool[reads],
        **gated,
    ).eval()


def sine_image(size):
    values = np.sin(np.arange(2 * 3 * size * size, dtype=np.float64)).astype(np.float32)
    return torch.from_numpy(values).reshape(2, 3, size, size)


def compare(what, got, expected):
    if got.shape != expected.shape:
        sys.exit(f"{what} gives logits {list(got.shape)}, expected {list(expected.shape)}")
    difference = (got - expected).abs().max().item()
    print(f"{what}: largest difference {difference:.3e} (tolerance {TOLERANCE:.0e}, largest {expected.abs().max():.2f})")
    # Written so that NaN fails too.
    if not (math.isfinite(difference) and difference <= TOLERANCE):
        sys.exit(1)


def check_onnx(path, image, head, expected):
    """Compares onnxruntime's logits with timm's; the SHA-256 of the file."""
    import onnx
    import onnxruntime

    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    stated = json.loads(session.get_modelmeta().custom_metadata_map["ibot.head"])
    if stated != head:
        sys.exit(f"{path} says {stated}, the safetensors file {head}")
    for batch in (1, 2):
        (logits,) = session.run(["logits"], {"image": image[:batch].numpy()})
        compare(f"onnxruntime, batch {batch}", torch.from_numpy(logits), expected[:batch])
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--onnx", metavar="MODEL.onnx")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--expected", metavar="OUT.safetensors")
    what.add_argument("--write", metavar="OUT.safetensors")
    args = parser.parse_args()

    weights, vit, head = read(args.model)
    model = build(vit, head, weights)
    model.load_state_dict(weights, strict=True)
    image = sine_image(vit["image_size"])
    with torch.no_grad():
        logits = model(image)
    print(f"{len(weights)} tensors loaded strictly; logits {list(logits.shape)}")

    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    metadata = {"shapes": json.dumps(shapes)}
    if args.onnx:
        metadata["onnx_sha256"] = check_onnx(args.onnx, image, head, logits)
    if args.write:
        save_file({"logits": logits.contiguous()}, args.write, metadata)
    else:
        compare("expected logits", load_file(args.expected)["logits"].float(), logits)


if __name__ == "__main__":
    main()
