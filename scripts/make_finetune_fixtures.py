#!/usr/bin/env python3
"""Writes tests/fixtures/finetune/steps.{safetensors,json}: three steps of the official fine-tuning code.

A small ViT with layer decay learns mixed images (mixup, CutMix, neither) with smoothed labels, in float64. Network,
parameter groups and schedule are the official ones (evaluation/classification_layer_decay); the mixing is that of timm
0.4.12 in mode "batch", written out here with given draws. The committed files were made with commit da316d8 and PyTorch
2.15.0. Usage:

    pip install torch safetensors timm
    python scripts/make_finetune_fixtures.py CHECKOUT_OF_BYTEDANCE_IBOT
"""

import json
import math
import sys
import types
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "finetune"

SIZE, PATCH, DIM, DEPTH, HEADS, CLASSES, IMAGES = 16, 4, 32, 3, 2, 5, 4
OPTIM = {
    "lr": 2e-3,
    "min_lr": 1e-4,
    "weight_decay": 0.05,
    "weight_decay_end": 0.2,
    "layer_decay": 0.65,
    "epochs": 3,
    "warmup_epochs": 1,
}
STEPS_PER_EPOCH = 2
SMOOTHING = 0.1
# The steps of the schedule that are taken: one in the warm-up, two after it.
SCHEDULED = [1, 2, 4]
MIXINGS = [
    {"kind": "mixup", "lambda": 0.625},
    {"kind": "cutmix", "lambda": 0.5, "row": 13, "column": 4},
    {"kind": "none"},
]


def official(checkout):
    """The official modules. They import optimisers that timm has moved; none of them is used."""
    optimisers = "adafactor adahessian adamp lookahead nadam novograd nvnovograd radam rmsprop_tf sgdp"
    classes = "Adafactor Adahessian AdamP Lookahead Nadam NovoGrad NvNovoGrad RAdam RMSpropTF SGDP"
    for module, name in zip(optimisers.split(), classes.split()):
        stub = types.ModuleType(f"timm.optim.{module}")
        setattr(stub, name, None)
        sys.modules[stub.__name__] = stub
    stub = types.ModuleType("tensorboardX")
    stub.SummaryWriter = None
    sys.modules.setdefault("tensorboardX", stub)
    six = types.ModuleType("torch._six")
    six.inf = math.inf
    sys.modules.setdefault("torch._six", six)
    sys.path.insert(0, str(Path(checkout) / "evaluation" / "classification_layer_decay"))
    import modeling_finetune
    import optim_factory
    import utils

    return modeling_finetune, optim_factory, utils


def mixed(images, labels, mixing):
    """Mixed images and their soft targets, as timm 0.4.12."""
    share = 1.0
    if mixing["kind"] == "mixup":
        share = mixing["lambda"]
        images = images * share + images.flip(0) * (1 - share)
    elif mixing["kind"] == "cutmix":
        side = int(SIZE * math.sqrt(1 - mixing["lambda"]))
        top, bottom = (min(max(mixing["row"] + d, 0), SIZE) for d in (-(side // 2), side // 2))
        left, right = (min(max(mixing["column"] + d, 0), SIZE) for d in (-(side // 2), side // 2))
        images = images.clone()
        images[:, :, top:bottom, left:right] = images.flip(0)[:, :, top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / SIZE**2
    off = SMOOTHING / CLASSES
    own = torch.full((len(labels), CLASSES), off, dtype=torch.float64)
    own[torch.arange(len(labels)), labels] = 1 - SMOOTHING + off
    return images, own * share + own.flip(0) * (1 - share)


def main():
    modeling, factory, utils = official(sys.argv[1])
    torch.manual_seed(0)
    model = modeling.VisionTransformer(
        img_size=SIZE, patch_size=PATCH, embed_dim=DIM, depth=DEPTH, num_heads=HEADS, num_classes=CLASSES,
        mlp_ratio=4, qkv_bias=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), init_values=0,
        use_mean_pooling=False, init_scale=1.0,
    )
    # Larger than the first weights, and no number that is 0 or 1, so that every parameter matters.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    # What is stored is what is computed with.
    model = model.float().double()

    layers = model.get_num_layers()
    scales = [OPTIM["layer_decay"] ** (layers + 1 - i) for i in range(layers + 2)]
    assigner = factory.LayerDecayValueAssigner(scales)
    groups = factory.get_parameter_groups(
        model, OPTIM["weight_decay"], model.no_weight_decay(), assigner.get_layer_id, assigner.get_scale
    )
    optimizer = torch.optim.AdamW(groups, lr=OPTIM["lr"], betas=(0.9, 0.999), eps=1e-8)
    schedule = partial(utils.cosine_scheduler, epochs=OPTIM["epochs"], niter_per_ep=STEPS_PER_EPOCH)
    lrs = schedule(OPTIM["lr"], OPTIM["min_lr"], warmup_epochs=OPTIM["warmup_epochs"])
    decays = schedule(OPTIM["weight_decay"], OPTIM["weight_decay_end"])

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    table = {
        names[id(parameter)]: {"lr_scale": group["lr_scale"], "decays": group["weight_decay"] > 0}
        for group in optimizer.param_groups
        for parameter in group["params"]
    }

    tensors = {f"init/{name}": value.detach().float().clone() for name, value in model.named_parameters()}
    steps = []
    for number, (scheduled, mixing) in enumerate(zip(SCHEDULED, MIXINGS)):
        for group in optimizer.param_groups:
            group["lr"] = lrs[scheduled] * group["lr_scale"]
            if group["weight_decay"] > 0:
                group["weight_decay"] = decays[scheduled]

        images = torch.randn(IMAGES, 3, SIZE, SIZE, dtype=torch.float64).float().double()
        labels = torch.randint(CLASSES, (IMAGES,))
        inputs, targets = mixed(images, labels, mixing)
        logits = model(inputs)
        # timm's SoftTargetCrossEntropy.
        loss = torch.sum(-targets * torch.log_softmax(logits, dim=-1), dim=-1).mean()
        optimizer.zero_grad()
        loss.backward()
        tensors[f"images/{number}"] = images.float()
        if number == 0:
            tensors["logits"] = logits.detach().float()
            tensors |= {f"gradient/{name}": value.grad.float() for name, value in model.named_parameters()}
        optimizer.step()
        if number != 1:
            after = {f"after/{number}/{name}": value for name, value in model.named_parameters()}
            tensors |= {name: value.detach().float().clone() for name, value in after.items()}
        steps.append({"step": scheduled, "labels": labels.tolist(), "mixing": mixing, "loss": loss.item()})

    OUT.mkdir(parents=True, exist_ok=True)
    save_file(tensors, OUT / "steps.safetensors")
    network = {"image_size": SIZE, "patch_size": PATCH, "dim": DIM, "depth": DEPTH, "heads": HEADS, "classes": CLASSES}
    record = {
        "network": network,
        "optim": OPTIM,
        "label_smoothing": SMOOTHING,
        "steps_per_epoch": STEPS_PER_EPOCH,
        "lr": lrs.tolist(),
        "weight_decay": decays.tolist(),
        "parameters": table,
        "steps": steps,
    }
    (OUT / "steps.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
