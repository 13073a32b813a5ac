"""Checks an ONNX file that `ibot export --to onnx` wrote and compares what onnxruntime computes with what is expected.

    python check_onnx.py MODEL.onnx EXPECTED.safetensors

EXPECTED holds the input `image` [B, 3, H, W] and, under the names of the model's outputs, what must come out:
`cls` [B, D] and `patches` [B, N, D]. The model runs on the first image alone and on the whole batch.
Exit status 1 if any value differs by more than the tolerance.
"""

import argparse
import math
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

TOLERANCE = 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("expected")
    args = parser.parse_args()

    onnx.checker.check_model(args.model, full_check=True)
    session = onnxruntime.InferenceSession(args.model, providers=["CPUExecutionProvider"])
    inputs = [i.name for i in session.get_inputs()]
    outputs = [o.name for o in session.get_outputs()]
    print(f"checker passed; inputs {inputs}, outputs {outputs}")
    expected = load_file(args.expected)
    if len(inputs) != 1 or not outputs or not {"image", *outputs} <= expected.keys():
        sys.exit(f"one input and outputs out of {sorted(expected.keys() - {'image'})} are expected")

    worst = 0.0
    batch = len(expected["image"])
    for size in sorted({1, batch}):
        got = session.run(outputs, {inputs[0]: expected["image"][:size].astype(np.float32)})
        for name, value in zip(outputs, got):
            want = expected[name][:size]
            if value.shape != want.shape:
                sys.exit(f"`{name}` at batch {size} is {value.shape}, expected {want.shape}")
            difference = float(np.abs(value - want).max())
            print(f"batch {size}, {name} {list(value.shape)}: largest difference {difference:.3e}")
            # max() would lose a NaN.
            worst = difference if not math.isfinite(difference) else max(worst, difference)
            if not math.isfinite(worst):
                sys.exit(1)
    print(f"largest difference {worst:.3e} (tolerance {TOLERANCE:.0e})")
    if worst > TOLERANCE:
        sys.exit(1)


if __name__ == "__main__":
    main()
