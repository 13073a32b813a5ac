"""Makes tests/fixtures/pth: small checkpoints in every form that torch.save knows, and what torch reads from them.

    python make_pth.py ../fixtures/pth

Needs torch, numpy and safetensors. The expected values are those that torch.load gives, as float32, under
`<file>/<section>/<name>`; the section of a top-level dictionary is empty.
"""

import argparse
import collections
import pickle
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
expected = {}
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
torch.manual_seed(0)
generator = torch.Generator().manual_seed(0)


def normal(*shape):
    return torch.randn(*shape, generator=generator)


class Settings:
    """A class that only this script knows."""

    def __init__(self):
        self.depth, self.nested = 12, {"lr": 5e-4}


class Slotted:
    """Its state is a pair: attributes and slots."""

    __slots__ = ("width", "__dict__")

    def __init__(self):
        self.width, self.height = 3, 4


def save(name, checkpoint, sections, **how):
    torch.save(checkpoint, out / name, **how)
    loaded = torch.load(out / name, weights_only=False)
    for section in sections:
        for key, value in (loaded[section] if section else loaded).items():
            if isinstance(value, torch.Tensor) and value.dtype in FLOATS:
                expected[f"{name}/{section}/{key}"] = value.detach().float().contiguous().clone()


def views():
    base = normal(6, 8)
    return {
        "whole": base,
        "tied": base,
        "same_view": base.view(6, 8),
        "transposed": base.t(),
        "rows": base[2:5],
        "columns": base[:, 1:7:2],
        "reordered": normal(2, 3, 4).permute(2, 0, 1),
        "one": base[3:4, 5:6].t(),
        "scalar": torch.tensor(0.25),
        "empty": torch.empty(0, 7),
        "repeated": normal(3, 1).expand(3, 5),
    }


def types():
    special = torch.tensor([0.0, -0.0, 1.0, -2.5, float("inf"), -float("inf"), 1e-7, 65504.0, 3.0e-5])
    return {
        "f32": normal(3, 5),
        "f16": special.half(),
        "bf16": torch.cat([special, torch.tensor([1e38, 1e-40])]).bfloat16(),
        "f64": special.double() / 3,
        "f16_transposed": normal(3, 4).half().t(),
        "int": torch.arange(5),
        "bool": torch.tensor([True, False]),
        "complex": torch.tensor([1 + 2j]),
        "float8": torch.ones(3).to(torch.float8_e4m3fn),
        "uint16": torch.tensor([1, 2], dtype=torch.uint16),
    }


def checkpoint():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(normal(5, 4)).sum().backward()
    optimizer.step()
    parameter = nn.Parameter(normal(2, 2))
    parameter.note = "an attribute"
    return {
        "student": collections.OrderedDict((f"module.{k}", v) for k, v in model.state_dict().items()),
        "parameters": {
            "bare": nn.Parameter(normal(2, 3)),
            "frozen": nn.Parameter(normal(2), False),
            "with_state": parameter,
        },
        "teacher": model.state_dict(),
        "nothing": collections.OrderedDict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 7,
        "best": np.float64(71.5),
        "array": np.arange(4.0),
        "args": argparse.Namespace(
            arch="vit_small", patch_size=16, lr=5e-4, shared_head=True, data=Path("images"), big=2**80
        ),
        "settings": Settings(),
        "slotted": Slotted(),
        "defaults": collections.defaultdict(list, {"tensor": normal(2)}),
        "fp16_scaler": {"scale": 65536.0, "growth_tracker": 0},
        "set": {1, 2},
        "frozen_set": frozenset([3]),
        "bytes": b"abc",
        "bytearray": bytearray(b"abc"),
        "negative": -(2**40),
        "ünïcode": "prüfung",
        None: "a key that is no text",
    }


itself = {"tensors": {"a": normal(2)}, "name": "recursive"}
itself["tensors"]["self"] = itself
itself["list"] = [itself]
pair = ([],)
pair[0].append(pair)
itself["pair"] = pair

state = checkpoint()
save("views.pth", views(), [""])
save("types.pth", types(), [""])
sections = ["student", "parameters", "teacher", "defaults"]
save("checkpoint.pth", state, sections)
for protocol in [3, 4, 5]:
    save(f"protocol{protocol}.pth", state, sections, pickle_protocol=protocol)
save("legacy.pth", state, sections, _use_new_zipfile_serialization=False)
save("legacy4.pth", state, sections, _use_new_zipfile_serialization=False, pickle_protocol=4)
save("legacy_views.pth", views(), [""], _use_new_zipfile_serialization=False)
# Torch itself cannot read untyped storages in this format.
typed = {k: v for k, v in types().items() if k not in ("float8", "uint16")}
save("legacy_types.pth", typed, [""], _use_new_zipfile_serialization=False)
save("recursive.pth", itself, ["tensors"])
torch.serialization.set_crc32_options(False)
save("no_crc.pth", {"a": normal(4)}, [""])
torch.serialization.set_crc32_options(True)

# A conjugated view keeps its flag beside the numbers; its imaginary part is stored with the wrong sign.
torch.save({"negated": torch.tensor([1 + 2j]).conj().imag}, out / "negated.pth")
torch.jit.save(torch.jit.script(nn.ReLU()), out / "script.pt")
with open(out / "plain.pkl", "wb") as file:
    pickle.dump({"a": [1, 2]}, file, protocol=2)

# The repeated tensor is larger than its storage and not handed out.
expected = {key: value for key, value in expected.items() if not key.endswith("/repeated")}
save_file(dict(sorted(expected.items())), out / "expected.safetensors")
for path in sorted(out.iterdir()):
    print(f"{path.stat().st_size:7} {path.name}")
