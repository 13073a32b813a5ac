"""Makes tests/fixtures/official/linear.pth: a checkpoint with the structure of the official linear evaluation of several
heads (evaluation/eval_linear_multi.py), here three heads of 5 classes on one CLS token of checkpoint_teacher.pth.

    python make_linear_pth.py ../fixtures/official/linear.pth

The bias of head j is j + class / 10, so that it can be told which head was read.
"""

import sys

import torch
from torch import nn

DIM, CLASSES, HEADS, BEST = 48, 5, 3, 1


class LinearClassifier(nn.Module):
    def __init__(self, number):
        super().__init__()
        self.linear = nn.Linear(DIM, CLASSES)
        self.linear.weight.data.normal_(mean=0.0, std=0.5, generator=generator)
        self.linear.bias.data = number + torch.arange(CLASSES) / 10


class Distributed(nn.Module):
    """Names parameters as torch's DistributedDataParallel does."""

    def __init__(self, module):
        super().__init__()
        self.module = module


generator = torch.Generator().manual_seed(0)
heads = nn.ModuleList(Distributed(LinearClassifier(number)) for number in range(HEADS))
optimizers = [torch.optim.SGD(head.parameters(), 1e-3, momentum=0.9, weight_decay=0) for head in heads]
schedulers = [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100, eta_min=0) for optimizer in optimizers]
checkpoint = {
    "epoch": 7,
    "state_dict": heads.state_dict(),
    "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    "schedulers": [scheduler.state_dict() for scheduler in schedulers],
    "best_acc": 61.25,
    "best_acc_hidx": BEST,
    "best_acc_sweep_lr_only": 61.25,
}
torch.save(checkpoint, sys.argv[1])
