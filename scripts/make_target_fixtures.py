#!/usr/bin/env python3
"""Writes fixtures of targets and patch losses that are options here, by lightly, to tests/fixtures/pretrain/.

sinkhorn.json: Sinkhorn-Knopp assignments of logits. lightly's function for MSN divides as DINOv2 describes it: prototypes
by their sums over all samples, then samples by their sums over all prototypes.
patches.json: the patch loss of DINOv2, whose center follows the masked patches, and that of iBOT++ (TIPSv2), with the
gradients of the student's logits.
gram.json: the loss of Gram anchoring as DINOv3 describes it, in PyTorch's own operations: the mean squared difference of
the cosines between the patches of an image.

The committed files were made with lightly 1.6.0 and PyTorch 2.15.0. Usage:

    pip install torch lightly
    python scripts/make_target_fixtures.py
"""

import json
from pathlib import Path

import torch
from lightly.loss.ibot_loss import IBOTPatchLoss, IBOTPlusPlusPatchLoss
from lightly.loss.msn_loss import sinkhorn

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "pretrain"


def rounded(tensor):
    return ((tensor * 1e4).round() / 1e4).float().double()


def values(tensor):
    return [round(v, 10) for v in tensor.detach().double().flatten().tolist()]


def assignments(generator):
    def case(name, rows, prototypes, scale, temperature, iterations):
        logits = scale * (2 * torch.rand(rows, prototypes, generator=generator, dtype=torch.float64) - 1)
        # One prototype that all samples like best.
        logits[:, 0] += 0.3
        logits = rounded(logits)
        targets = sinkhorn(torch.exp(logits / temperature), iterations)
        return {
            "name": name,
            "prototypes": prototypes,
            "temperature": temperature,
            "iterations": iterations,
            "logits": values(logits),
            "targets": values(targets),
        }

    return [
        case("as DINOv2", 12, 7, 0.6, 0.07, 3),
        case("more prototypes than samples", 4, 16, 0.6, 0.04, 3),
        case("one iteration", 9, 5, 0.6, 0.05, 1),
        case("far from balance", 10, 6, 1.0, 0.04, 8),
    ]


def patches(generator):
    crops, side, prototypes = 4, 3, 5
    mask = torch.zeros(crops, side, side, dtype=torch.bool)
    for crop, cells in enumerate([[0, 4, 5], [], [8], [0, 1, 2, 3, 4, 5, 6]]):
        mask.view(crops, -1)[crop, cells] = True
    count = crops * side * side

    def logits(rows):
        return rounded(0.5 * torch.randn(rows, prototypes, generator=generator, dtype=torch.float64))

    student, teacher = logits(count), logits(count)
    center = logits(1)
    flat = mask.flatten()

    def case(name, loss, visible):
        loss = loss.double()
        loss.center.center = center.clone()
        tracked = student.clone().requires_grad_()
        if visible is None:
            value = loss(teacher_out=teacher[flat], student_out=tracked[flat], mask=mask)
        else:
            value = loss(teacher_out=teacher, student_out=tracked, mask=mask, visible_loss_weight=visible)
        value.backward()
        return {
            "name": name,
            "visible": visible or 0.0,
            "loss": value.item(),
            "gradient": values(tracked.grad),
            "center": values(loss.center.value),
        }

    options = {"output_dim": prototypes, "teacher_temp": 0.07, "student_temp": 0.1, "center_momentum": 0.9}
    return {
        "crops": crops,
        "side": side,
        "prototypes": prototypes,
        "teacher_temp": options["teacher_temp"],
        "momentum": options["center_momentum"],
        "masked": flat.tolist(),
        "student": values(student),
        "teacher": values(teacher),
        "old_center": values(center),
        "cases": [
            case("masked patches", IBOTPatchLoss(**options), None),
            case("visible patches as much", IBOTPlusPlusPatchLoss(**options), 1.0),
            case("visible patches less", IBOTPlusPlusPatchLoss(**options), 0.25),
        ],
    }


def relations(generator):
    shape = (2, 6, 4)
    student, anchor = (rounded(torch.randn(shape, generator=generator, dtype=torch.float64)) for _ in range(2))
    student.requires_grad_()

    def cosines(tokens):
        unit = torch.nn.functional.normalize(tokens, dim=-1)
        return torch.einsum("bnd,bmd->bnm", unit, unit)

    loss = torch.nn.functional.mse_loss(cosines(student), cosines(anchor))
    loss.backward()
    return {
        "shape": shape,
        "student": values(student),
        "anchor": values(anchor),
        "loss": loss.item(),
        "gradient": values(student.grad),
    }


def main():
    generator = torch.Generator().manual_seed(0)
    (OUT / "sinkhorn.json").write_text(json.dumps(assignments(generator)) + "\n")
    (OUT / "patches.json").write_text(json.dumps(patches(generator)) + "\n")
    (OUT / "gram.json").write_text(json.dumps(relations(generator)) + "\n")


if __name__ == "__main__":
    main()
