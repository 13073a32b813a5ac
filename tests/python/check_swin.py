"""Reads the Swins of timm and torchvision with `ibot export`, and compares tokens that onnxruntime computes with theirs.

    python check_swin.py IBOT

IBOT is the program. Both libraries build Swin-T with windows of 7 and random weights; norms add 1e-6 to the variance,
as iBOT's do. Each network is saved under its library's own names, `ibot export --to onnx` reads the file and writes a
model, and this must give the library's tokens for random images.
Exit status 1 if any value differs by more than the tolerance.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import onnxruntime
import timm
import torch
import torchvision
from safetensors.torch import save_file

TOLERANCE = 1e-5


def perturb(model):
    """The model with random biases, gains and offsets: fresh ones are zeros and ones, and would hide a mix-up."""
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-6
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "norm" in name or "bias_table" in name:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def difference(ibot, folder, name, model, tokens):
    """The largest difference between the tokens of the library and those of the exported model."""
    weights, onnx = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, weights)
    command = [ibot, "export", "--model", weights, "--to", "onnx", "--out", onnx]
    subprocess.run(command, check=True)

    images = torch.randn(2, 3, 224, 224)
    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    (ours,) = session.run(["patches"], {"image": images.numpy()})
    with torch.no_grad():
        theirs = tokens(images).flatten(1, 2)
    return float((torch.from_numpy(ours) - theirs).abs().max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ibot")
    args = parser.parse_args()

    torch.manual_seed(0)
    of_timm = perturb(timm.create_model("swin_tiny_patch4_window7_224", pretrained=False))
    of_torchvision = perturb(torchvision.models.swin_t())
    networks = [
        ("timm", of_timm, of_timm.forward_features),
        ("torchvision", of_torchvision, lambda images: of_torchvision.norm(of_torchvision.features(images))),
    ]

    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, model, tokens in networks:
            largest = difference(args.ibot, pathlib.Path(folder), name, model, tokens)
            print(f"{name}: largest difference {largest:.2e}")
            worst = max(worst, largest)
    # A NaN is no difference below the tolerance.
    if not worst <= TOLERANCE:
        sys.exit(f"more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
